import type { CudaDriver } from "../runtime/native/cuda_driver.ts";

/** Of a GPU's memory, what {@linkcode DeviceMemory.keep} leaves free. */
const SHARE_LEFT_FREE = 1 / 2;

/** Memory on a GPU beside ONNX Runtime's. */
export class DeviceMemory {
  readonly #driver: CudaDriver;
  #scratch = { address: 0n, bytes: 0 };

  constructor(driver: CudaDriver) {
    this.#driver = driver;
  }

  /**
   * Memory that is freed when it is disposed of.
   *
   * @throws {Error} When there is not enough.
   */
  allocate(bytes: number): Disposable & { readonly address: bigint } {
    const address = this.#room(bytes);
    return { address, [Symbol.dispose]: () => void this.#driver.functions.cuMemFree_v2(address) };
  }

  /**
   * Memory to keep what could be computed again; it is there until it is given to
   * {@linkcode release}.
   *
   * @returns `undefined` where less than half of the GPU's memory would stay free: that is for those
   *   who need it.
   */
  keep(bytes: number): bigint | undefined {
    const { functions } = this.#driver;
    const [free, total] = [new BigUint64Array(1), new BigUint64Array(1)];
    if (functions.cuMemGetInfo_v2(free, total) !== 0) return undefined;
    if (Number(free[0]) - bytes < SHARE_LEFT_FREE * Number(total[0])) return undefined;
    const place = new BigUint64Array(1);
    return functions.cuMemAlloc_v2(place, BigInt(bytes)) === 0 ? place[0] : undefined;
  }

  /** Frees memory when the GPU has done what it was told. */
  release(address: bigint): void {
    const { functions, check } = this.#driver;
    check(functions.cuMemFree_v2(address), "free a matrix");
  }

  /**
   * Memory for what the next kernels of the same stream read; one place for all who ask.
   *
   * @throws {Error} When there is not enough.
   */
  scratch(bytes: number): bigint {
    if (bytes > this.#scratch.bytes) {
      const { address } = this.#scratch;
      this.#scratch = { address: 0n, bytes: 0 };
      if (address !== 0n) this.release(address);
      this.#scratch = { address: this.#room(bytes), bytes };
    }
    return this.#scratch.address;
  }

  #room(bytes: number): bigint {
    const { functions, check } = this.#driver;
    const place = new BigUint64Array(1);
    check(functions.cuMemAlloc_v2(place, BigInt(bytes)), "make room for a matrix");
    return place[0]!;
  }
}
