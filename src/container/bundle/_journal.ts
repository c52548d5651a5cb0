import { createHash } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { readJson, writeFileAtomically } from "../../files.ts";
import { hashOutcome } from "../../integrity/mod.ts";
import type { TarPart } from "../archive/segments.ts";
import type { VolumePlan } from "./_volumes.ts";

const journalSchema = z.object({
  plan: z.string(),
  volumes: z.array(z.object({ bytes: z.number(), sha256: z.string() })),
});

/** Remembers which volumes are whole, between processes. */
export class Journal {
  readonly #path: string;
  readonly #plan: string;
  /** The volumes' names, those that are still to be written too. */
  readonly names: readonly string[];
  /** Those that are whole, in their order. */
  readonly volumes: { readonly bytes: number; readonly sha256: string }[];

  private constructor(
    path: string,
    plan: string,
    names: readonly string[],
    volumes: readonly { readonly bytes: number; readonly sha256: string }[],
  ) {
    this.#path = path;
    this.#plan = plan;
    this.names = names;
    this.volumes = [...volumes];
  }

  /** Keeps what an earlier run wrote of the same plan, up to the first volume that is not whole. */
  static async open(
    work: string,
    target: string,
    { volumes }: VolumePlan,
    parts: readonly TarPart[],
  ): Promise<Journal> {
    const path = join(work, "journal.json");
    // The description has the checksum of everything else.
    const [description] = parts[0]!.content;
    const hash = createHash("sha256");
    if (description !== undefined && "bytes" in description) hash.update(description.bytes);
    const plan = hash.update(JSON.stringify(volumes)).digest("hex");
    const former = journalSchema.safeParse((await readJson(path)).value);
    const kept = [];
    if (former.success && former.data.plan === plan) {
      for (const [index, volume] of former.data.volumes.entries()) {
        const { sha256 } = await hashOutcome(join(target, volumes[index]!.name), {});
        if (sha256 !== volume.sha256) break;
        kept.push(volume);
      }
    }
    if (kept.length === 0) await rm(target, { recursive: true, force: true });
    await mkdir(target, { recursive: true });
    return new Journal(path, plan, volumes.map(({ name }) => name), kept);
  }

  /** Remembers one more that is whole. */
  async add(volume: { readonly bytes: number; readonly sha256: string }): Promise<void> {
    this.volumes.push(volume);
    const text = JSON.stringify({ plan: this.#plan, volumes: this.volumes });
    await writeFileAtomically(this.#path, Buffer.from(text));
  }
}
