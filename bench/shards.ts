/**
 * One batch of the demo model on the cores of one machine: by one process that has them all, and by two
 * that share them, as clusters' parts of a batch do, or by claims.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { inProcess } from "./process.ts";
import { median } from "./statistics.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PICTURES = 8;
const PICTURE = { width: 256, height: 256, steps: 10 };
const ROUNDS = 3;

/** How the batch is drawn. */
interface Way {
  readonly name: string;
  /** Options of `create`, for each process. */
  readonly processes: readonly (readonly string[])[];
  /** Whether each process has cores of its own, as Slurm and Kubernetes give them. */
  readonly areApart: boolean;
}

const PARTS = [["--shard", "0/2"], ["--shard", "1/2"]];
const CLAIMS = [["--claim"], ["--claim"]];
const WAYS: readonly Way[] = [
  { name: "one process, all cores", processes: [[]], areApart: false },
  { name: "two parts, half of the cores each", processes: PARTS, areApart: true },
  { name: "two parts, all cores each", processes: PARTS, areApart: false },
  { name: "two workers that claim, half of the cores each", processes: CLAIMS, areApart: true },
  { name: "two workers that claim, all cores each", processes: CLAIMS, areApart: false },
];

/** Seconds that the batch took, from the start of the first process to the end of the last. */
export interface ShardsResult {
  readonly pictures: number;
  readonly picture: typeof PICTURE;
  readonly ways: readonly {
    readonly name: string;
    /** In the order of the rounds, in each of which every way was taken once. */
    readonly seconds: readonly number[];
    readonly median: number;
    /** Of the seconds and those of the first way in the same round, the median. */
    readonly ratio: number;
  }[];
}

/** Draws the batch in each way, one after the other, several times. */
export async function benchShards(log: (lines: readonly string[]) => void): Promise<ShardsResult> {
  return await inProcess<ShardsResult>("bench/shards.ts", undefined, "own", log);
}

/** The table's rows. */
export function shardsTable({ pictures, picture, ways }: ShardsResult): readonly string[] {
  const { width, height, steps } = picture;
  return [
    `| ${pictures} pictures of ${width} × ${height}, ${steps} steps | time | of one process's |`,
    "| --- | --- | --- |",
    ...ways.map(({ name, median, ratio }) =>
      `| ${name} | ${median.toFixed(1)} s | ${ratio.toFixed(2)} |`
    ),
  ];
}

async function measure(log: (line: string) => void): Promise<ShardsResult> {
  const seconds = WAYS.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, way] of WAYS.entries()) {
      const took = await draw(way);
      seconds[index]!.push(took);
      log(`${round + 1}/${ROUNDS} ${way.name}: ${took.toFixed(1)} s`);
    }
  }
  const ways = WAYS.map(({ name }, index) => {
    const own = seconds[index]!;
    const ratios = own.map((value, round) => value / seconds[0]![round]!);
    return { name, seconds: own, median: median(own), ratio: median(ratios) };
  });
  return { pictures: PICTURES, picture: PICTURE, ways };
}

/** @returns Seconds. */
async function draw({ processes, areApart }: Way): Promise<number> {
  const folder = await Deno.makeTempDir();
  try {
    const batch = `${folder}/prompts.jsonl`;
    const lines = Array.from(
      { length: PICTURES },
      (_, seed) => JSON.stringify({ prompt: "1girl, solo, smile", seed, ...PICTURE }),
    );
    await Deno.writeTextFile(batch, lines.join("\n"));
    const cores = await ownCores();
    const share = cores.length / processes.length;
    const start = performance.now();
    await Promise.all(processes.map(async (options, index) => {
      const own = areApart ? cores.slice(index * share, (index + 1) * share) : cores;
      const { success, stderr } = await new Deno.Command("taskset", {
        args: [
          ...["--cpu-list", own.join(","), Deno.execPath()],
          ...["task", "--quiet", "--config", `${ROOT}deno.json`, "create"],
          ...["--model", `${ROOT}models/demo`, "--device", "cpu", "--batch", batch],
          ...["--output-root", "outputs", ...options],
        ],
        cwd: folder,
        // Where pictures go, whatever started the benchmark.
        env: { INIT_CWD: folder },
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).output();
      if (!success) throw new Error(new TextDecoder().decode(stderr));
    }));
    const seconds = (performance.now() - start) / 1000;
    const drawn = [...Deno.readDirSync(`${folder}/outputs/prompts`)];
    assert.equal(drawn.filter(({ name }) => name.endsWith(".png")).length, PICTURES);
    return seconds;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The numbers of the cores that this process may use. */
async function ownCores(): Promise<readonly number[]> {
  const status = await Deno.readTextFile("/proc/self/status");
  const [, list] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)!;
  return list!.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, index) => first! + index);
  });
}

if (import.meta.main) console.log(JSON.stringify(await measure((line) => console.error(line))));
