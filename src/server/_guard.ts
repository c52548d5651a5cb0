/**
 * Who may speak to the server, and what pages of it may do.
 *
 * A page elsewhere can make a browser send requests to this computer. Such a request names that page
 * in `Origin`, or says in `Sec-Fetch-Site` that it comes from elsewhere; and where a name of its own
 * was made to lead here (DNS rebinding), it is that name which stands in `Host`. None of these can be
 * changed by a page.
 */
import type { Context, MiddlewareHandler } from "hono";
import { createHash, timingSafeEqual } from "node:crypto";
import { HttpProblem } from "./_problem.ts";
import type { Access, Limits } from "./types.ts";

/** Nothing from elsewhere, and nothing that stands in the page's own text. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy": POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

const COOKIE = "newbie_token";

/** What is ever answered; browsers may ask with no other method that means anything here. */
const METHODS: readonly string[] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"];

/** Lets through what may come in, and says with each answer what a page may do with it. */
export function guard({ hosts, token, origins }: Access): MiddlewareHandler {
  return async (context, next) => {
    for (const [name, value] of Object.entries(HEADERS)) context.header(name, value);
    const { method } = context.req;
    if (!METHODS.includes(method)) {
      context.header("Allow", METHODS.join(", "));
      throw new HttpProblem(
        405,
        `Nothing here is asked with ${JSON.stringify(method)}; expected ${METHODS.join(", ")}.`,
        `这里不接受 ${JSON.stringify(method)} 方法；应为 ${METHODS.join("、")} 之一。`,
      );
    }
    const host = (context.req.header("Host") ?? "").toLowerCase();
    if (hosts !== undefined && !hosts.includes(host)) {
      throw new HttpProblem(
        403,
        `This server is not called ${JSON.stringify(host)}. Use http://${hosts[0]}/.`,
        `本服务器的名称不是 ${JSON.stringify(host)}。请使用 http://${hosts[0]}/。`,
      );
    }
    const origin = context.req.header("Origin");
    const isNamed = origin !== undefined && origins.includes(origin);
    if (isNamed) allow(context, origin);
    else if (origin !== undefined && !isOwn(origin, host)) throw fromElsewhere(origin);
    else if (origin === undefined && isFetchedFromElsewhere(context)) {
      throw fromElsewhere(context.req.header("Sec-Fetch-Site")!);
    }
    if (isNamed && context.req.method === "OPTIONS") return context.body(null, 204);
    const answer = token === undefined ? undefined : admit(context, token);
    if (answer !== undefined) return answer;
    await next();
  };
}

/** Where a body may hold pictures. */
const WITH_PICTURES = new RegExp(
  "^(?:/api/(?:jobs|pictures|recipe)|/v1/images/edits" +
    "|/sdapi/v1/(?:txt2img|img2img|png-info|extra-single-image|extra-batch-images))$",
);

/** How long a body may take to come. */
const BODY_MILLISECONDS = 120_000;

/**
 * Refuses bodies that are too large, before they are read; and those that are too many at once, because
 * each is held until its request is answered.
 */
export function bounded(limits: Limits): MiddlewareHandler {
  let held = 0;
  return async (context, next) => {
    const { raw } = context.req;
    if (raw.body === null) return await next();
    const most = WITH_PICTURES.test(context.req.path) ? limits.uploadBytes : limits.bodyBytes;
    const stated = Number(context.req.header("Content-Length") ?? NaN);
    if (stated > most) throw tooLarge(most);
    const isStated = Number.isSafeInteger(stated) && stated >= 0 &&
      context.req.header("Transfer-Encoding") === undefined;
    const reserved = isStated ? stated : most;
    if (held + reserved > limits.heldBytes) {
      throw new HttpProblem(
        503,
        "Too many large requests are under way. Try again later.",
        "正在处理的大请求过多。请稍后再试。",
      );
    }
    held += reserved;
    try {
      const body = await bodyWithin(raw.body, most);
      // Not made of `raw` itself: it would take its signal along, which Deno aborts with every answer.
      const { url, method, headers } = raw;
      context.req.raw = new Request(url, { method, headers, body });
      await next();
    } finally {
      held -= reserved;
    }
  };
}

async function bodyWithin(body: ReadableStream<Uint8Array>, most: number): Promise<Blob> {
  const reader = body.getReader();
  const late = Promise.withResolvers<never>();
  late.promise.catch(() => {});
  const timer = setTimeout(() =>
    late.reject(
      new HttpProblem(408, "The request took too long to come.", "请求传输时间过长。"),
    ), BODY_MILLISECONDS);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late.promise]);
      if (done) return new Blob(chunks);
      length += value.length;
      if (length > most) throw tooLarge(most);
      chunks.push(value as Uint8Array<ArrayBuffer>);
    }
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => {});
  }
}

function tooLarge(most: number): HttpProblem {
  return new HttpProblem(
    413,
    `The request is too large: at most ${most} bytes are read.`,
    `请求过大：最多读取 ${most} 字节。`,
  );
}

function allow(context: Context, origin: string): void {
  context.header("Access-Control-Allow-Origin", origin);
  context.header("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept-Language");
  context.header("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE");
  context.header("Cross-Origin-Resource-Policy", "cross-origin");
  context.header("Vary", "Origin");
}

/** A page of this server: its address has the name by which the server was called. */
function isOwn(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}

/** What no page of ours asked for, unless a person followed a link to the page itself. */
function isFetchedFromElsewhere(context: Context): boolean {
  const site = context.req.header("Sec-Fetch-Site");
  if (site === undefined || site === "same-origin" || site === "none") return false;
  const isVisit = context.req.header("Sec-Fetch-Mode") === "navigate" &&
    context.req.header("Sec-Fetch-Dest") === "document" && context.req.method === "GET";
  return !(isVisit && context.req.path === "/");
}

function fromElsewhere(origin: string): HttpProblem {
  return new HttpProblem(
    403,
    `The request comes from a page elsewhere (${JSON.stringify(origin)}), which may not ask ` +
      "anything here. --allow-origin names pages that may.",
    `请求来自其他网页（${
      JSON.stringify(origin)
    }），不允许访问。可用 --allow-origin 指定允许的网页。`,
  );
}

/** Whoever comes with the token in the link gets it as a cookie, so that it leaves the address. */
function admit(context: Context, token: string): Response | undefined {
  const given = context.req.query("token");
  if (given !== undefined && context.req.path === "/" && isSame(given, token)) {
    const isSecure = new URL(context.req.url).protocol === "https:";
    context.header(
      "Set-Cookie",
      `${COOKIE}=${token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000` +
        (isSecure ? "; Secure" : ""),
    );
    return context.redirect("/");
  }
  const cookie = new RegExp(`(?:^|; )${COOKIE}=([^;]*)`).exec(context.req.header("Cookie") ?? "");
  const [scheme = "", credentials = ""] = (context.req.header("Authorization") ?? "").split(/ +/);
  // RFC 9110: the scheme's name may be written in any case.
  const shown = scheme.toLowerCase() === "bearer"
    ? credentials
    : scheme.toLowerCase() === "basic"
    ? passwordOf(credentials)
    : cookie?.[1];
  if (shown !== undefined && isSame(shown, token)) return undefined;
  throw new HttpProblem(
    401,
    "This server needs its token: open the link that it printed, or send it as Authorization: " +
      "Bearer.",
    "本服务器需要口令：请打开它打印的链接，或以 Authorization: Bearer 发送口令。",
  );
}

/** Clients of AUTOMATIC1111 know names and passwords; the name does not matter. */
function passwordOf(credentials: string): string | undefined {
  try {
    return atob(credentials).split(":").slice(1).join(":");
  } catch {
    return undefined;
  }
}

/** Takes as long for any wrong token. */
function isSame(given: string, token: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(given), hash(token));
}
