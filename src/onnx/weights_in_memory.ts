import { sideBySide } from "../side_by_side.ts";
import { type InitializerBytes, unpackWeight } from "./_unpack_weight.ts";
import { type CompiledGraph, isBlockEntry } from "./graph.ts";
import { UnpackThreads } from "./unpack_threads.ts";

/** Bytes of blocks that one thread unpacks in the time in which others start. */
const BYTES_WORTH_THREADS = 40e6;

/**
 * Makes the weights of a graph that are given to ONNX Runtime in memory: those in GGUF's blocks are
 * unpacked, the others read, tensor by tensor; by several threads where that is worth while.
 *
 * @returns Their bytes, by the names that the graph's references have for them; nothing where the
 *   graph points at all of its weights.
 * @throws {SafetensorsError} When a file became shorter.
 * @throws {RangeError} When a part of a tensor begins or ends within a byte or a block.
 */
export async function weightsInMemory({ memory = [] }: CompiledGraph): Promise<InitializerBytes> {
  const blockBytes = memory.reduce(
    (sum, { entry }) => sum + (isBlockEntry(entry) ? entry.byteLength : 0),
    0,
  );
  using threads = new UnpackThreads();
  const [atOnce, unpack] = blockBytes < BYTES_WORTH_THREADS
    ? [1, unpackWeight] as const
    : [threads.atOnce, threads.unpack.bind(threads)] as const;
  const made: Record<string, Uint8Array<ArrayBuffer>> = {};
  // The largest first, so that no thread still works on a large one when all others are done.
  const ordered = memory.toSorted((a, b) => b.entry.byteLength - a.entry.byteLength);
  await sideBySide(ordered.length, atOnce, async (index) => {
    Object.assign(made, await unpack(ordered[index]!));
  });
  return made;
}
