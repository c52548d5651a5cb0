/** The memory in use on a GPU, as nvidia-smi sees it: all processes, the driver's own part aside. */

/** Bytes of a mebibyte, in which nvidia-smi counts. */
const MIB = 2 ** 20;
const INTERVAL_MILLISECONDS = 20;

/** Watches a GPU's memory from its creation to its end. */
export class GpuMemory implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  #peak = 0;
  #first: number | undefined;

  /** @param index nvidia-smi's number for the GPU. */
  constructor(index = 0) {
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

  /** Waits until a first reading is there. */
  async begin(): Promise<void> {
    while (this.#first === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill();
    await this.#reading;
    await this.#process.status;
  }
}
