/**
 * Pictures of the full-size model on one GPU and on two, in one run, with our own kernels: one picture,
 * both of whose prompts are computed at the same time, and several of a call side by side. The pictures
 * must be the same, bit for bit.
 */
import { GpuMemory } from "./gpu_memory.ts";
import type { PictureRequest, PictureResult } from "./picture.ts";
import { inProcess } from "./process.ts";
import { median } from "./statistics.ts";

/** What is drawn. */
export interface SeveralGpusOptions {
  /** A folder with models/ in the toolkit's layout in it. */
  readonly model: string;
  readonly steps: number;
  readonly size: number;
  readonly caption: number;
  readonly log: (line: string) => void;
}

/** What it took on so many GPUs. */
export interface MeasuredGpus {
  readonly gpus: number;
  readonly dtype: "auto" | "int8";
  /** How many pictures a call made. */
  readonly pictures: number;
  /** Milliseconds of a warm call, and of its denoising. */
  readonly total: number;
  readonly denoise: number;
  /** Milliseconds from the start of the process to the first call's pixels. */
  readonly first: number;
  /** Bytes at most, GPU by GPU. */
  readonly peakMemory: readonly number[];
  readonly sha256: string;
}

const COUNTS = [1, 2];
const WARM = 3;
const SIDE_BY_SIDE = 4;
const WAYS = [
  { dtype: "auto", pictures: 1 },
  { dtype: "auto", pictures: SIDE_BY_SIDE },
  { dtype: "int8", pictures: 1 },
] as const;

/** Measures each way on one GPU and on two, one after the other. */
export async function benchSeveralGpus(
  { log, ...drawn }: SeveralGpusOptions,
): Promise<readonly MeasuredGpus[]> {
  const measured: MeasuredGpus[] = [];
  for (const { dtype, pictures } of WAYS) {
    for (const gpus of COUNTS) {
      log(`${pictures} of ${drawn.size} × ${drawn.size} in a call, ${dtype}, GPUs: ${gpus} …`);
      await using stack = new AsyncDisposableStack();
      const memories: GpuMemory[] = [];
      for (const deviceId of COUNTS.keys()) {
        memories.push(stack.use(await GpuMemory.watch(deviceId)));
      }
      const warm = Math.ceil(WARM / pictures);
      const loaded = { device: "cuda", gpus, dtype, offload: "none" } as const;
      const request: PictureRequest = { ...drawn, ...loaded, count: 1 + warm, pictures };
      const { timings, firstPicture, sha256 } = await inProcess<PictureResult>(
        "bench/picture.ts",
        request,
      );
      const of = (stage: "total" | "denoise") => median(timings.slice(1).map((it) => it[stage]));
      measured.push({
        gpus,
        dtype,
        pictures,
        total: of("total"),
        denoise: of("denoise"),
        first: firstPicture,
        peakMemory: memories.map(({ peak }) => peak),
        sha256,
      });
    }
  }
  return measured;
}

const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`;

/** The results as Markdown. */
export function severalGpusTable(measured: readonly MeasuredGpus[]): string[] {
  return [
    "| pictures of a call | type | GPUs | warm call | of it denoising | times as fast | first call | peak memory, GPU by GPU | pictures |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...measured.map(({ gpus, dtype, pictures, total, denoise, first, peakMemory, sha256 }) => {
      const alone = measured.find((it) =>
        it.gpus === 1 && it.dtype === dtype && it.pictures === pictures
      )!;
      const memory = peakMemory.slice(0, gpus).map((bytes) => `${(bytes / 1e9).toFixed(1)} GB`);
      return `| ${pictures} | ${dtype === "auto" ? "bfloat16" : dtype} | ${gpus} | ` +
        `${seconds(total)} | ${seconds(denoise)} | ${(alone.total / total).toFixed(2)} | ` +
        `${seconds(first)} | ${memory.join(", ")} | ` +
        `${gpus === 1 ? "" : sha256 === alone.sha256 ? "the same" : "**not the same**"} |`;
    }),
  ];
}
