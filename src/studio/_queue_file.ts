/** The file in which a queue remembers what waits. */
import { dirname } from "node:path";
import * as z from "zod";
import { readJson, writeFileAtomically } from "../files.ts";
import { settingsSchema } from "../settings/mod.ts";
import type { JobPicture } from "./job.ts";
import type { PictureRequest } from "./request.ts";

/** A job that is not finished. */
export interface StoredJob {
  readonly id: string;
  readonly request: PictureRequest;
  readonly count: number;
  readonly grid?: string;
  readonly preset?: string;
  /** The next picture to be made, from 0. */
  readonly next: number;
  readonly pictures: readonly JobPicture[];
  readonly created: number;
}

const VERSION = 1;
const picture = z.object({
  index: z.int(),
  path: z.string(),
  name: z.string(),
  seed: z.string(),
  prompt: z.string(),
  width: z.int(),
  height: z.int(),
  milliseconds: z.number(),
});
const lora = z.object({
  name: z.string(),
  weight: z.number(),
  textWeight: z.exactOptional(z.number()),
  sha256: z.exactOptional(z.string()),
});
const schema = z.object({
  version: z.literal(VERSION),
  jobs: z.array(z.object({
    id: z.uuid(),
    request: partly(settingsSchema()).extend({ loras: z.exactOptional(z.array(lora)) }),
    count: z.int().min(1),
    grid: z.exactOptional(z.string()),
    preset: z.exactOptional(z.string()),
    next: z.int().min(0),
    pictures: z.array(picture),
    created: z.number(),
  })),
});

/** The same schema with everything optional, at every depth. */
function partly(object: z.ZodObject): z.ZodObject {
  return z.strictObject(Object.fromEntries(
    Object.entries(object.shape).map(([key, value]) => [
      key,
      z.optional(value instanceof z.ZodObject ? partly(value) : value),
    ]),
  ));
}

/** Writes what waits, one state after the other; a state that is overtaken is left out. */
export class QueueFile {
  readonly #path: string;
  #next: readonly StoredJob[] | undefined;
  #writing: Promise<void> | undefined;

  private constructor(path: string) {
    this.#path = path;
  }

  /** The file of a path; its folder is made where it is missing. */
  static async open(path: string): Promise<QueueFile | undefined> {
    try {
      await Deno.mkdir(dirname(path), { recursive: true });
    } catch {
      // Where nothing can be written, nothing is remembered.
      return undefined;
    }
    return new QueueFile(path);
  }

  /** What waited; nothing where there is no such file, or one that cannot be understood. */
  async read(): Promise<readonly StoredJob[]> {
    const { value, problem } = await readJson(this.#path);
    if (problem !== undefined) return [];
    const read = z.safeDecode(schema, value as z.input<typeof schema>);
    return read.success ? read.data.jobs as unknown as StoredJob[] : [];
  }

  /** Remembers what waits. */
  write(jobs: readonly StoredJob[]): void {
    this.#next = jobs;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when all is written. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#next !== undefined) {
      const jobs = this.#next;
      this.#next = undefined;
      try {
        const json = z.encode(
          schema,
          { version: VERSION, jobs } as unknown as z.output<typeof schema>,
        );
        await writeFileAtomically(this.#path, new TextEncoder().encode(JSON.stringify(json)));
      } catch {
        // A full disk is told of where the picture is saved.
      }
    }
    this.#writing = undefined;
  }
}
