/**
 * Turns on a GPU.
 *
 * When cuDNN seeks its fastest kernel for a convolution of a new size, it records kernels as CUDA
 * graphs. While it does, CUDA refuses to wait for all of the GPU ("failure 900: operation not permitted
 * when stream is capturing"), on any thread of the program: ONNX Runtime waits so when it makes a
 * session, and our own operators' sessions do before they run. So graphs with convolutions run alone, but
 * for those over the C interface, where cuDNN is told to name a kernel and tries none.
 *
 * @module
 */
import type { Device } from "../onnx/mod.ts";

/** Lets work run together, or alone, in the order in which it was asked for. */
export class Turns {
  /** The end of what was last to run alone. */
  #alone: Promise<unknown> = Promise.resolve();
  /** The ends of what runs together since then. */
  #together: Promise<unknown>[] = [];

  /** Does what may be done while other such work is done. */
  async together<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#alone.then(work);
    const end = done.then(() => {}, () => {});
    this.#together.push(end);
    try {
      return await done;
    } finally {
      this.#together = this.#together.filter((other) => other !== end);
    }
  }

  /** Does what needs that nothing else is done meanwhile. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const done = Promise.all([this.#alone, ...this.#together]).then(work);
    this.#alone = done.then(() => {}, () => {});
    this.#together = [];
    return await done;
  }
}

const turns = new Turns();

/** Does what waits for all of the GPU: makes, runs or frees sessions. */
export async function onGpu<T>(device: Device, work: () => Promise<T>): Promise<T> {
  return device === "cuda" ? await turns.together(work) : await work();
}

/** Runs what may make cuDNN record. */
export async function aloneOnGpu<T>(device: Device, work: () => Promise<T>): Promise<T> {
  return device === "cuda" ? await turns.alone(work) : await work();
}
