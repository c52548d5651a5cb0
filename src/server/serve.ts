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

/**
 * Listens, and lets an app answer.
 *
 * @throws {NewBieError} When the port is in use, or may not be used.
 */
export function serve(app: Pick<Hono, "fetch">, options: ServeOptions): Listening {
  const { hostname, port, tls } = options;
  try {
    const server = Deno.serve({
      hostname,
      port,
      ...tls,
      onListen: () => {},
    }, (request) => app.fetch(request));
    return {
      close: async () => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const tooLate = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, CLOSING_MILLISECONDS);
        });
        await Promise.race([server.shutdown(), tooLate]);
        clearTimeout(timer);
      },
    };
  } catch (cause) {
    throw listenError(cause, options);
  }
}

function listenError(cause: unknown, { hostname, port }: ServeOptions): unknown {
  const address = `${hostname}:${port}`;
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
