/**
 * Pictures that somebody gave to start from, kept as long as what is drawn from them may need them:
 * a job that waits, and a recipe that names them.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { isMissing, writeFileAtomically } from "../files.ts";
import { formatOfName, type PictureFormat } from "../image/mod.ts";
import { OUTPUTS } from "./outputs.ts";
import { type PictureFile, readPictureFile } from "./picture_file.ts";
import type { PictureMeasure, PictureThread } from "./picture_thread.ts";

/** Their folder inside of the outputs; the gallery does not show it. */
const GIVEN = ".given";
const FORMATS: readonly PictureFormat[] = ["png", "jpeg", "webp", "avif"];
const NAME = new RegExp(`^\\.given/[0-9a-f]{64}\\.(?:${FORMATS.join("|")})$`);
const MOST_BYTES = 2 * 2 ** 30;
const DAY_MILLISECONDS = 86_400_000;
/** How often the folder is looked through for what is too much. */
const PRUNING_MILLISECONDS = 60_000;

/** A picture that was given. */
export interface GivenPicture extends PictureMeasure {
  /** From the folder of outputs on, with slashes; by its content, so that the same picture is kept once. */
  readonly name: string;
}

/** How to keep pictures. */
export interface GivenPicturesOptions {
  /**
   * The folder of outputs.
   *
   * @default {"outputs"}
   */
  readonly root?: string;
  /**
   * Of more bytes than this, those pictures go that nobody used for longest, and for a day at least.
   *
   * @default {2147483648}
   */
  readonly mostBytes?: number;
}

/** The pictures of one folder. */
export class GivenPictures {
  readonly #root: string;
  readonly #mostBytes: number;
  readonly #thread: PictureThread;
  #pruned = -Infinity;

  constructor(
    thread: PictureThread,
    { root = OUTPUTS, mostBytes = MOST_BYTES }: GivenPicturesOptions = {},
  ) {
    this.#thread = thread;
    this.#root = root;
    this.#mostBytes = mostBytes;
  }

  /**
   * Keeps a picture.
   *
   * @param bytes A PNG, JPEG, WebP or AVIF.
   * @throws {ImageError} When it cannot be decoded.
   */
  async keep(bytes: Uint8Array): Promise<GivenPicture> {
    const measure = await this.#thread.measure(bytes);
    const hash = createHash("sha256").update(bytes).digest("hex");
    const name = `${GIVEN}/${hash}.${measure.format}`;
    if (await this.pathOf(name) === undefined) {
      await Deno.mkdir(join(this.#root, GIVEN), { recursive: true });
      await writeFileAtomically(join(this.#root, name), bytes);
      await this.#prune();
    }
    return { ...measure, name };
  }

  /** Where a picture lies that was given, used now; undefined where there is none of the name. */
  async pathOf(name: string): Promise<string | undefined> {
    if (!NAME.test(name)) return undefined;
    const path = join(this.#root, name);
    try {
      const [real, root] = await Promise.all([realpath(path), realpath(this.#root)]);
      if (real !== join(root, name)) return undefined;
      const now = new Date();
      // It may belong to somebody else with whom the outputs are shared.
      await Deno.utime(path, now, now).catch(() => {});
      return path;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** The name of a picture with this SHA-256, in hexadecimal; undefined where it was not given. */
  async find(hash: string): Promise<string | undefined> {
    for (const format of FORMATS) {
      const name = `${GIVEN}/${hash}.${format}`;
      if (await this.pathOf(name) !== undefined) return name;
    }
    return undefined;
  }

  /** The bytes of a picture; undefined where there is none of the name. */
  async read(name: string): Promise<PictureFile | undefined> {
    return await readPictureFile(await this.pathOf(name), formatOfName(name)!);
  }

  async #prune(): Promise<void> {
    if (performance.now() - this.#pruned < PRUNING_MILLISECONDS) return;
    this.#pruned = performance.now();
    const folder = join(this.#root, GIVEN);
    const files: { readonly path: string; readonly bytes: number; readonly time: number }[] = [];
    for await (const { name } of Deno.readDir(folder)) {
      const path = join(folder, name);
      const { size = 0, mtime } = await Deno.lstat(path).catch(() => ({ size: 0, mtime: null }));
      if (NAME.test(`${GIVEN}/${name}`)) {
        files.push({ path, bytes: size, time: mtime?.getTime() ?? Infinity });
      }
    }
    let bytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const file of files.sort((a, b) => a.time - b.time)) {
      if (bytes <= this.#mostBytes || Date.now() - file.time < DAY_MILLISECONDS) break;
      await Deno.remove(file.path).catch(() => {});
      bytes -= file.bytes;
    }
  }
}
