import type { Hono } from "hono";
import { NewBieError } from "../errors.ts";

/** Where to listen. */
export interface ServeOptions {
  readonly hostname: string;
  readonly port: number;
  /** A certificate and its key, as PEM. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** A server that listens. */
export interface Listening {
  /** Takes no more requests, and lets those that are under way end within two seconds. */
  close(): Promise<void>;
}

/** How long answers that are under way may take when the server closes. */
const CLOSING_MILLISECONDS = 2000;
/** How long to wait before listening again, when the system gave out of connections. */
const AGAIN_MILLISECONDS = 500;

/**
 * Listens, and lets an app answer. When the system has no more connections to give, the server listens
 * again as soon as it can.
 *
 * @throws {NewBieError} When the port is in use, or may not be used, or the certificate is none.
 */
export function serve(app: Pick<Hono, "fetch">, options: ServeOptions): Listening {
  const { hostname, port, tls } = options;
  let isClosing = false;
  let server: Deno.HttpServer | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const listen = () => {
    server = Deno.serve({
      hostname,
      port,
      ...tls,
      onListen: () => {},
    }, (request) => app.fetch(request));
    server.finished.catch(listenAgain);
  };
  const listenAgain = () => {
    if (isClosing) return;
    timer = setTimeout(() => {
      try {
        listen();
      } catch {
        listenAgain();
      }
    }, AGAIN_MILLISECONDS);
  };
  try {
    listen();
  } catch (cause) {
    throw listenError(cause, options);
  }
  return {
    close: async () => {
      isClosing = true;
      clearTimeout(timer);
      const { promise: tooLate, resolve } = Promise.withResolvers<void>();
      const closing = setTimeout(resolve, CLOSING_MILLISECONDS);
      await Promise.race([server?.shutdown().catch(() => {}), tooLate]);
      clearTimeout(closing);
    },
  };
}

/** What Deno says of certificates and keys. */
const TLS_FAULT = /certificate|private key|\bkey/i;

function listenError(cause: unknown, { hostname, port, tls }: ServeOptions): unknown {
  const address = `${hostname}:${port}`;
  if (tls !== undefined && TLS_FAULT.test(String(cause))) {
    const { message } = cause as Error;
    return new NewBieError({
      en:
        `The certificate and its key cannot be used: ${message}. Expected two files in PEM form ` +
        "that belong together: -----BEGIN CERTIFICATE----- and -----BEGIN PRIVATE KEY-----.",
      zh: `证书或其私钥无法使用：${message}。应为两个相互匹配的 PEM 文件：` +
        "-----BEGIN CERTIFICATE----- 和 -----BEGIN PRIVATE KEY-----。",
    }, { cause });
  }
  if (cause instanceof Deno.errors.AddrInUse) {
    return new NewBieError({
      en:
        `${address} is in use by another program, perhaps by another deno task serve: stop it, or ` +
        `choose another port with --port ${port + 1}.`,
      zh: `${address} 已被其他程序占用，可能是另一个 deno task serve：请停止它，` +
        `或用 --port ${port + 1} 换一个端口。`,
    }, { cause });
  }
  if (cause instanceof Deno.errors.NotCapable) {
    return new NewBieError({
      en:
        `deno task serve has leave for the ports 7860 to 7869 and not for ${address}. Choose one of ` +
        "them with --port, or add the address to --allow-net of that task in deno.json.",
      zh:
        `deno task serve 只获准使用 7860 到 7869 端口，不包括 ${address}。请用 --port 选择其中之一，` +
        "或把该地址加入 deno.json 中这个任务的 --allow-net。",
    }, { cause });
  }
  return cause;
}
