/** The memory in use on a GPU, as nvidia-smi sees it: all processes, the driver's own part aside. */
import { NewBieError } from "../src/errors.ts";
import { localHost, readGpus } from "../src/machine/mod.ts";

/** Bytes of a mebibyte, in which nvidia-smi counts. */
const MIB = 2 ** 20;
const INTERVAL_MILLISECONDS = 20;

/**
 * nvidia-smi's numbers for the GPUs that CUDA shows to this program and to those that it starts, in
 * CUDA's order; `undefined` for one that is not known.
 */
export async function visibleGpus(): Promise<(number | undefined)[]> {
  const { visible } = await readGpus(localHost());
  return visible.map((gpu) => gpu?.index);
}

/** Watches a GPU's memory from its creation to its end. */
export class GpuMemory implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  #peak = 0;
  #first: number | undefined;

  /** @param index nvidia-smi's number for the GPU. */
  private constructor(index: number) {
    this.#process = new Deno.Command("nvidia-smi", {
      args: [
        `--id=${index}`,
        "--query-gpu=memory.used",
        "--format=csv,noheader,nounits",
        `--loop-ms=${INTERVAL_MILLISECONDS}`,
      ],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#reading = this.#read();
  }

  /**
   * Watches a GPU, of which a first reading is there.
   *
   * @param deviceId Its number among those that CUDA shows to this program.
   * @throws {NewBieError} When CUDA shows no such GPU.
   */
  static async watch(deviceId = 0): Promise<GpuMemory> {
    const index = (await visibleGpus())[deviceId];
    if (index === undefined) {
      throw new NewBieError(`CUDA shows no GPU ${deviceId} whose memory could be watched.`, {
        zh: `CUDA 没有可供观察显存的第 ${deviceId} 号显卡。`,
      });
    }
    const memory = new GpuMemory(index);
    while (memory.#first === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
    return memory;
  }

  /** Bytes in use at most so far, beyond what was in use at the beginning. */
  get peak(): number {
    return this.#peak - (this.#first ?? 0);
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const used = Number(line) * MIB;
        this.#first ??= used;
        this.#peak = Math.max(this.#peak, used);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill();
    await this.#reading;
    await this.#process.status;
  }
}
