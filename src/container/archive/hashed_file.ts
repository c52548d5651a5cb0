/** Writing a file forward, in large pieces, with its SHA-256. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";

/** Small writes wait until there is so much to write. */
const BUFFER_BYTES = 1 << 20;

/** What was written. */
export interface WrittenFile {
  readonly bytes: number;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
}

/** A new file that is written from its beginning to its end. */
export class HashedFile implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #hash = createHash("sha256");
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #buffered = 0;
  #bytes = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Makes the file; one of the same name is emptied. */
  static async create(path: string): Promise<HashedFile> {
    return new HashedFile(await open(path, "w"));
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.length;
    if (this.#buffered + bytes.length > BUFFER_BYTES) await this.#flush();
    if (bytes.length >= BUFFER_BYTES) {
      await this.#put(bytes);
    } else {
      this.#buffer.set(bytes, this.#buffered);
      this.#buffered += bytes.length;
    }
  }

  /** Brings all of it to the disk. */
  async finish(): Promise<WrittenFile> {
    await this.#flush();
    await this.#file.sync();
    return { bytes: this.#bytes, sha256: this.#hash.digest("hex") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#buffered);
    this.#buffered = 0;
    await this.#put(bytes);
  }

  async #put(bytes: Uint8Array): Promise<void> {
    const writing = this.#writeAll(bytes);
    // An error is reported below; until then it must not end the process.
    writing.catch(() => {});
    this.#hash.update(bytes);
    await writing;
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += (await this.#file.write(bytes, at, bytes.length - at)).bytesWritten;
    }
  }
}
