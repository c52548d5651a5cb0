/** The thread that keeps a claim fresh: it writes into it, so that the file server gives it a new time. */

/** Which file, from now on; none where nothing is claimed. */
export interface HeartbeatMessage {
  readonly path: string | undefined;
  readonly milliseconds: number;
}

/** The part of a worker's global scope that is needed here; lib.dom knows another one. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<HeartbeatMessage>) => void;
};

let timer: ReturnType<typeof setInterval> | undefined;

scope.onmessage = ({ data: { path, milliseconds } }) => {
  clearInterval(timer);
  if (path !== undefined) timer = setInterval(() => void beat(path), milliseconds);
};

/** Writes a file's first byte again. Whoever took the claim away meanwhile is not disturbed. */
async function beat(path: string): Promise<void> {
  try {
    using file = await Deno.open(path, { read: true, write: true });
    const first = new Uint8Array(1);
    if (await file.read(first) !== 1) return;
    await file.seek(0, Deno.SeekMode.Start);
    await file.write(first);
    await file.sync();
  } catch {
    // Not there any more, or the file server does not answer now: the next beat may come through.
  }
}
