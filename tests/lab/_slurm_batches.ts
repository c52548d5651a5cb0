/** Batches that Slurm runs, of which tasks are killed and requeued. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decodePng } from "../../src/mod.ts";
import { BATCH_KEYWORD } from "../../src/studio/batch.ts";
import { filesBelow } from "../_folders.ts";
import type { Slurm } from "./_slurm.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SCRIPT = join(ROOT, "deploy/slurm.sh");
const PICTURES = 24;
/** So many that a task can be met while it draws. */
const STEPS = 30;
const PATIENCE_SECONDS = 240;
/** What `create` prints of a picture that it has made. */
const MADE = /^\d+\/\d+ (outputs\/\S+\.png) \(/gm;

/** A task of an array, by its number. */
interface Task {
  readonly index: string;
  /** The pictures that it has made, in whatever attempt. */
  readonly made: readonly string[];
  readonly log: string;
}

/** A batch, and a folder of pictures that is gone in the end. */
async function batchFor({ folder, run }: Slurm) {
  const name = `slurm-${crypto.randomUUID()}`;
  const file = join(folder, `${name}.jsonl`);
  const lines = Array.from(
    { length: PICTURES },
    (_, seed) =>
      JSON.stringify({ prompt: "1girl, solo", seed, steps: STEPS, width: 64, height: 64 }),
  );
  await Deno.writeTextFile(file, lines.join("\n"));
  const logs = join(folder, name);
  await Deno.mkdir(logs);
  const pictures = join(ROOT, "outputs", name);

  /** @returns The job's number. */
  const submit = async (options: readonly string[], ...args: string[]) => {
    const places = [`--chdir=${ROOT}`, `--output=${logs}/%A_%a`, "--open-mode=append"];
    const all = [...places, ...options, SCRIPT, file, "--output", name, ...args];
    return await run("sbatch", "--parsable", ...all);
  };

  /** The tasks that have said anything. */
  const tasks = async (): Promise<Task[]> =>
    await Promise.all(
      filesBelow(logs).map(async (path) => {
        const log = await Deno.readTextFile(path);
        const made = [...log.matchAll(MADE)].map(([, picture]) => picture!);
        return { index: path.split("_").at(-1)!, made, log };
      }),
    );

  /** A task that has made a picture, and goes on: none of those that are named. */
  const drawing = async (...others: string[]): Promise<Task> =>
    await until(
      "a task draws",
      async () =>
        (await tasks()).find(({ index, made, log }) =>
          !others.includes(index) && made.length > 0 && !/^Done!/m.test(log)
        ),
    );

  const ended = async (job: string) =>
    await until(
      `job ${job} ends`,
      async () =>
        await run("squeue", "--noheader", "--job", job).then((left) => left === "", () => true),
    );

  /** Every picture is there, and was made once. */
  const expectAll = async () => {
    const ids = filesBelow(pictures).map((path) => {
      assert.match(path, /\.png$/);
      return decodePng(Deno.readFileSync(path)).text[BATCH_KEYWORD];
    });
    assert.equal(new Set(ids).size, PICTURES);
    assert.equal(ids.length, PICTURES);
    const made = (await tasks()).flatMap(({ made }) => made);
    assert.equal(new Set(made).size, made.length, "a picture was made twice");
  };

  return {
    submit,
    tasks,
    drawing,
    ended,
    expectAll,
    made: () => filesBelow(pictures).length,
    [Symbol.asyncDispose]: () => Deno.remove(pictures, { recursive: true }).catch(() => {}),
  };
}

/** @returns What `ask` found. */
async function until<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
  const end = performance.now() + PATIENCE_SECONDS * 1000;
  while (performance.now() < end) {
    const found = await ask();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited ${PATIENCE_SECONDS} s until ${what}`);
}

/** The array as it is shipped; what one task left is drawn by submitting it alone again. */
export async function killedAndRequeued(slurm: Slurm): Promise<void> {
  await using batch = await batchFor(slurm);
  const { run } = slurm;
  const job = await batch.submit([]);
  const killed = await batch.drawing();
  await run("scancel", "--full", "--signal=KILL", `${job}_${killed.index}`);

  const requeued = await batch.drawing(killed.index);
  const task = `${job}_${requeued.index}`;
  await run("scontrol", "requeue", task);
  // Slurm lets a requeued task wait for two minutes.
  await until(
    "the requeued task may start",
    async () =>
      await run("scontrol", "update", `JobId=${task}`, "StartTime=now").then(
        () => true,
        () => false,
      ),
  );
  await batch.ended(job);

  const after = await batch.tasks();
  const again = after.find(({ index }) => index === requeued.index)!;
  assert.equal(again.log.match(/^Done!/gm)?.length, 1, again.log);
  assert.match(again.log, /^\d+ pictures? to make, [1-9]\d* already there/m);
  const lost = after.find(({ index }) => index === killed.index)!;
  assert.doesNotMatch(lost.log, /^Done!/m);
  assert(batch.made() < PICTURES, "the killed task has lost nothing");

  await batch.ended(await batch.submit([`--array=${killed.index}`]));
  await batch.expectAll();
}

/** Tasks without parts; what a killed one had claimed, the others draw. */
export async function claims(slurm: Slurm): Promise<void> {
  await using batch = await batchFor(slurm);
  const job = await batch.submit(["--array=0-1"], "--claim");
  const killed = await batch.drawing();
  await slurm.run("scancel", "--full", "--signal=KILL", `${job}_${killed.index}`);
  await batch.ended(job);
  await batch.expectAll();
}
