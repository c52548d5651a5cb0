import { fillFrom } from "../files.ts";
import { unreadable } from "./_files.ts";
import { SafetensorsError } from "./safetensors_error.ts";
import { shortenedError } from "./shortened_error.ts";
import type { StoredTensor, TensorEntry } from "./types.ts";

/**
 * Reads tensors' bytes as they lie in their files, several parts at a time. A file is opened as often as it
 * is read from at the same time, and stays open until the reader is disposed of: to open and to seek are
 * errands to another thread, each of which ends only when this one has nothing else to do.
 */
export class PartReader implements Disposable {
  /** All that were opened. */
  readonly #opened = new DisposableStack();
  /** Those that nobody reads from, by their paths. */
  readonly #free = new Map<string, Deno.FsFile[]>();

  /**
   * Reads some of a tensor's bytes.
   *
   * @param from Which of its bytes is the first.
   * @param into Where they go; it is filled.
   * @throws {SafetensorsError} When the file cannot be opened or read, or became shorter.
   */
  async read(
    entry: Pick<TensorEntry, "name"> & StoredTensor,
    from: number,
    into: Uint8Array,
  ): Promise<void> {
    try {
      const free = this.#freeOf(entry.file);
      const file = free.pop() ?? this.#opened.use(await Deno.open(entry.file));
      try {
        file.seekSync(entry.offset + from, Deno.SeekMode.Start);
        if (await fillFrom(file, into) < into.length) throw shortenedError(entry);
      } finally {
        free.push(file);
      }
    } catch (error) {
      throw error instanceof SafetensorsError ? error : unreadable(entry.file, error);
    }
  }

  #freeOf(path: string): Deno.FsFile[] {
    let free = this.#free.get(path);
    if (free === undefined) this.#free.set(path, free = []);
    return free;
  }

  /** Closes all files, when nothing is being read. */
  [Symbol.dispose](): void {
    this.#free.clear();
    this.#opened.dispose();
  }
}
