import { createTarDecoder } from "modern-tar";
import { PinError } from "./pin_error.ts";
import type { NamedStream } from "./pinned_files.ts";

/**
 * The files of a `.tgz` archive, as they come. A file that is not read is passed over.
 *
 * @throws {PinError} When the archive is damaged or ends too early.
 */
export async function* readTarball(archive: ReadableStream<BufferSource>): AsyncGenerator<
  NamedStream
> {
  const entries = archive
    .pipeThrough(new DecompressionStream("gzip"))
    .pipeThrough(createTarDecoder({ strict: true }));
  try {
    for await (const { header, body } of entries) {
      if (header.type === "file") yield { path: header.name, body: orDamaged(body) };
      // Read to its end, as modern-tar 0.8.6 waits for ever after a body's cancel().
      if (!body.locked) await body.pipeTo(new WritableStream());
    }
  } catch (cause) {
    throw asDamage(cause);
  }
}

async function* orDamaged(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    throw asDamage(cause);
  }
}

function asDamage(cause: unknown): unknown {
  if (cause instanceof PinError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const said = { en: `The archive cannot be read: ${reason}`, zh: `无法读取压缩包：${reason}` };
  return new PinError("damaged", reason, said, { cause });
}
