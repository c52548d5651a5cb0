/**
 * Bytes on their way to a GPU.
 *
 * What lies in ordinary memory the driver copies by itself before it sends it to a GPU, on the thread that
 * asks. Here several pieces are read at once, by threads of Deno's, into memory from which the GPU's
 * copy engine fetches them.
 *
 * @module
 */
import { PartReader } from "../../safetensors/mod.ts";
import { settled } from "../../settled.ts";
import { memoryAt } from "./c_api.ts";
import type { CudaDriver } from "./cuda_driver.ts";

/** How many pieces are on their way at a time. */
const SLOTS = 8;
/** The largest piece. */
export const MOST_PIECE_BYTES = 8 << 20;
/** `CU_STREAM_NON_BLOCKING`. */
const ON_ITS_OWN = 1;

/** What is copied at a time. */
export interface Piece {
  /** At most {@linkcode MOST_PIECE_BYTES}. */
  readonly bytes: number;
  /** Fills so much memory with it. Files that it reads by `files` stay open for other pieces. */
  readonly read: (into: Uint8Array<ArrayBuffer>, files: PartReader) => Promise<void>;
  /**
   * Where it goes on the GPU, or its parts one after another; by default to a place that is there for
   * `then` alone.
   */
  readonly to?: bigint | readonly Part[];
  /** Is called when the copy was ordered: what it starts on the stream finds the piece in its place. */
  readonly then?: (place: bigint, stream: bigint) => void;
}

/** A part of a piece. */
interface Part {
  readonly bytes: number;
  readonly to: bigint;
}

/**
 * The same pieces, and when the last of them was read, what they are read with ends.
 *
 * @param reader Is ended by its owner, too, for no piece may ever be read.
 */
export function endingReader(reader: Disposable, pieces: readonly Piece[]): Piece[] {
  let left = pieces.length;
  return pieces.map((piece) => ({
    ...piece,
    read: async (into, files) => {
      try {
        await piece.read(into, files);
      } finally {
        if (--left === 0) reader[Symbol.dispose]();
      }
    },
  }));
}

/** The way of one piece at a time. */
interface Slot {
  readonly memory: bigint;
  readonly place: bigint;
  readonly stream: bigint;
}

/** The slots, for as long as somebody copies. */
interface Slots extends Disposable {
  readonly all: readonly Slot[];
  readonly free: Slot[];
  readonly waiting: ((slot: Slot) => void)[];
}

const known = new WeakMap<CudaDriver, Uploads>();

/** Copies pieces to a GPU. */
export class Uploads {
  readonly #driver: CudaDriver;
  #slots: Slots | undefined;
  #users = 0;

  private constructor(driver: CudaDriver) {
    this.#driver = driver;
  }

  /** Those of a driver, which all who copy share. */
  static of(driver: CudaDriver): Uploads {
    let uploads = known.get(driver);
    if (uploads === undefined) known.set(driver, uploads = new Uploads(driver));
    return uploads;
  }

  /**
   * Copies pieces, and waits until all are there and what they started is done. Files stay open until then.
   *
   * @throws {Error} When there is no memory to copy through, or with what reading a piece fails with.
   *   Nothing is on its way then.
   */
  async copy(pieces: readonly Piece[]): Promise<void> {
    if (pieces.length === 0) return;
    const slots = this.#slots ??= this.#makeSlots();
    this.#users++;
    try {
      using files = new PartReader();
      try {
        await settled(pieces.map((piece) => this.#send(piece, slots, files)));
      } finally {
        slots.all.forEach(({ stream }) => this.#wait(stream));
      }
    } finally {
      if (--this.#users === 0) {
        this.#slots = undefined;
        slots[Symbol.dispose]();
      }
    }
  }

  async #send(
    { bytes, read, to, then }: Piece,
    { free, waiting }: Slots,
    files: PartReader,
  ): Promise<void> {
    const slot = free.pop() ?? await new Promise<Slot>((resolve) => waiting.push(resolve));
    const { memory, place, stream } = slot;
    try {
      // For the slot's last piece.
      this.#wait(stream);
      await read(new Uint8Array(memoryAt(memory, bytes)), files);
      const { functions, check } = this.#driver;
      const parts = typeof to === "object" ? to : [{ bytes, to: to ?? place }];
      let from = memory;
      for (const { bytes, to } of parts) {
        const status = functions.cuMemcpyHtoDAsync_v2(to, from, BigInt(bytes), stream);
        check(status, "copy weights");
        from += BigInt(bytes);
      }
      then?.(parts[0]!.to, stream);
    } finally {
      const next = waiting.shift();
      if (next === undefined) free.push(slot);
      else next(slot);
    }
  }

  #wait(stream: bigint): void {
    const { functions, check } = this.#driver;
    check(functions.cuStreamSynchronize(stream), "copy weights");
  }

  #makeSlots(): Slots {
    const { functions, check } = this.#driver;
    using stack = new DisposableStack();
    const made = (ask: (place: BigUint64Array<ArrayBuffer>) => number) => {
      const place = new BigUint64Array(1);
      check(ask(place), "make room to copy weights through");
      return place[0]!;
    };
    const bytes = BigInt(SLOTS * MOST_PIECE_BYTES);
    const memory = made((place) => functions.cuMemAllocHost_v2(place, bytes));
    stack.defer(() => functions.cuMemFreeHost(memory));
    const place = made((place) => functions.cuMemAlloc_v2(place, bytes));
    stack.defer(() => functions.cuMemFree_v2(place));
    const all = Array.from({ length: SLOTS }, (_, index): Slot => {
      const stream = made((place) => functions.cuStreamCreate(place, ON_ITS_OWN));
      stack.defer(() => functions.cuStreamDestroy_v2(stream));
      const offset = BigInt(index * MOST_PIECE_BYTES);
      return { memory: memory + offset, place: place + offset, stream };
    });
    const kept = stack.move();
    return { all, free: [...all], waiting: [], [Symbol.dispose]: () => kept.dispose() };
  }
}
