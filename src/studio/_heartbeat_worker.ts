/** The thread that writes signs of life into a claim. */

/** Which file, from now on; none where nothing is claimed. */
export interface HeartbeatMessage {
  readonly path: string | undefined;
  readonly milliseconds: number;
}

/** The part of a worker's global scope that is needed here; lib.dom knows another one. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<HeartbeatMessage>) => void;
};

const SIGN = new TextEncoder().encode(".");

let timer: ReturnType<typeof setInterval> | undefined;

scope.onmessage = ({ data: { path, milliseconds } }) => {
  clearInterval(timer);
  if (path !== undefined) timer = setInterval(() => void beat(path), milliseconds);
};

/** Lets a file grow by a byte. Whoever took the claim away meanwhile is not disturbed. */
async function beat(path: string): Promise<void> {
  try {
    using file = await Deno.open(path, { append: true });
    await file.write(SIGN);
    await file.sync();
  } catch {
    // Not there any more, or the file server does not answer now: the next beat may come through.
  }
}
