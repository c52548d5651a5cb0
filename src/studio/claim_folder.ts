import { join } from "node:path";
import * as z from "zod";
import { isMissing } from "../files.ts";
import { parseJson } from "../json_problem.ts";
import { requireFile, UnfitFileError } from "../whole_file.ts";
import { type ClaimFiles, type ClaimState, LEASE_MILLISECONDS, type Owner } from "./claims.ts";
import type { HeartbeatMessage } from "./_heartbeat_worker.ts";
import { diskError, prepareFolder } from "./outputs.ts";

/** Beside a batch's pictures. */
const CLAIMS = ".claims";
const BOOT_ID = "file:///proc/sys/kernel/random/boot_id";
/** After this time a claim that names no owner has none: it ended before it wrote its name. */
const NAMELESS_MILLISECONDS = 10_000;
/** Between two signs of life. */
const HEARTBEAT_MILLISECONDS = 20_000;

const content = z.object({
  owner: z.object({ id: z.string(), boot: z.string().optional() }),
  isLocked: z.boolean(),
});

/**
 * Claims in a folder. An owner of the same system is gone when the system has let go of the lock on
 * its claim, which it does however a process ends; one of another system when its claim, which grows by
 * a byte at each sign of life, stays as it is for long.
 */
export class ClaimFolder implements ClaimFiles, AsyncDisposable {
  readonly #folder: string;
  readonly #owner: Owner;
  readonly #held = new Map<string, Deno.FsFile>();
  #heart: Worker | undefined;

  private constructor(folder: string, owner: Owner) {
    this.#folder = folder;
    this.#owner = owner;
  }

  /**
   * @param batch The folder of a batch's pictures.
   * @param root The folder of outputs.
   * @param boot Tells this start of this system from all others; undefined where nothing does.
   * @throws {DiskError} When nothing can be written there.
   */
  static async open(
    batch: string,
    root: string,
    boot: () => Promise<string | undefined> = bootId,
  ): Promise<ClaimFolder> {
    const folder = join(batch, CLAIMS);
    await prepareFolder(folder, root);
    return new ClaimFolder(folder, {
      id: crypto.randomUUID(),
      boot: await boot(),
      host: hostName(),
      pid: Deno.pid,
      started: new Date().toISOString(),
    });
  }

  async make(name: string): Promise<boolean> {
    const file = await this.#create(name);
    if (file === undefined) return false;
    this.#held.set(name, file);
    // Locked before it says whose it is: whoever can read the owner finds the lock. Without a name of
    // the system's start nobody asks for it, and on Windows it keeps others from reading the owner.
    const isLocked = this.#owner.boot !== undefined &&
      await file.lock(true).then(() => true, () => false);
    const text = JSON.stringify({ owner: this.#owner, isLocked });
    try {
      await file.write(new TextEncoder().encode(`${text}\n`));
      await file.sync();
    } catch (error) {
      throw diskError(error, join(this.#folder, name));
    }
    this.#beat(name);
    return true;
  }

  async look(name: string): Promise<ClaimState | undefined> {
    const path = join(this.#folder, name);
    try {
      // A pipe would not open before somebody writes into it.
      await requireFile(path);
      using file = await Deno.open(path);
      const { mtime, size } = await file.stat();
      const sign = `${size} ${mtime?.getTime()}`;
      const text = await Deno.readTextFile(path);
      const parsed = content.safeParse(parseJson(text.split("\n", 1)[0]!));
      if (!parsed.success) return { isAlive: undefined, sign, patience: NAMELESS_MILLISECONDS };
      const isAlive = await this.#isAlive(parsed.data, file);
      return { isAlive, sign, patience: LEASE_MILLISECONDS };
    } catch (error) {
      if (isMissing(error)) return undefined;
      if (error instanceof UnfitFileError) {
        return { isAlive: undefined, sign: "", patience: NAMELESS_MILLISECONDS };
      }
      throw error;
    }
  }

  async remove(name: string): Promise<void> {
    const file = this.#held.get(name);
    if (file !== undefined) this.#beat(undefined);
    this.#held.delete(name);
    try {
      await Deno.remove(join(this.#folder, name));
    } catch (error) {
      if (!isMissing(error)) throw error;
    } finally {
      file?.close();
    }
  }

  async mark(name: string): Promise<void> {
    const path = join(this.#folder, name);
    try {
      await Deno.mkdir(this.#folder, { recursive: true });
      (await Deno.open(path, { write: true, create: true })).close();
    } catch (error) {
      throw diskError(error, path);
    }
  }

  async has(name: string): Promise<boolean> {
    return await Deno.stat(join(this.#folder, name)).then(() => true, () => false);
  }

  async list(): Promise<readonly string[]> {
    try {
      return (await Array.fromAsync(Deno.readDir(this.#folder), ({ name }) => name))
        .filter((name) => !name.startsWith("."));
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  /** Gives up what is held. The folder is removed when nobody works at anything in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of [...this.#held.keys()]) await this.remove(name);
    this.#heart?.terminate();
    const names = await this.list();
    if (names.some((name) => /\.\d+$/.test(name))) return;
    for (const name of names) await this.remove(name);
    // Not empty where somebody has begun meanwhile.
    await Deno.remove(this.#folder).catch(() => {});
  }

  async #create(name: string): Promise<Deno.FsFile | undefined> {
    const path = join(this.#folder, name);
    for (let attempt = 0;; attempt++) {
      try {
        return await Deno.open(path, { read: true, write: true, createNew: true });
      } catch (error) {
        if (error instanceof Deno.errors.AlreadyExists) return undefined;
        // The last of several workers has removed the folder.
        if (!isMissing(error) || attempt > 0) throw diskError(error, path);
        await Deno.mkdir(this.#folder, { recursive: true });
      }
    }
  }

  async #isAlive(
    { owner, isLocked }: z.infer<typeof content>,
    file: Deno.FsFile,
  ): Promise<boolean | undefined> {
    if (!isLocked || owner.boot === undefined || owner.boot !== this.#owner.boot) return undefined;
    // A shared lock: others who look at the same moment are not in the way.
    return await file.tryLock(false).then((isFree) => !isFree, () => undefined);
  }

  /** Drawing may keep this thread busy for minutes: another one writes the signs of life. */
  #beat(name: string | undefined): void {
    this.#heart ??= new Worker(import.meta.resolve("./_heartbeat_worker.ts"), { type: "module" });
    const message: HeartbeatMessage = {
      path: name === undefined ? undefined : join(this.#folder, name),
      milliseconds: HEARTBEAT_MILLISECONDS,
    };
    this.#heart.postMessage(message);
  }
}

/** Linux tells each start of the system by a name of its own, in containers, too. */
async function bootId(): Promise<string | undefined> {
  try {
    const { default: text } = await import(BOOT_ID, { with: { type: "text" } });
    return text.trim();
  } catch {
    return undefined;
  }
}

function hostName(): string | undefined {
  try {
    return Deno.hostname();
  } catch {
    return undefined;
  }
}
