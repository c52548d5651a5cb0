import type { CompiledGraph, StoredWeight } from "../../onnx/mod.ts";
import { type CApi, cString } from "./c_api.ts";
import type { CudaDriver } from "./cuda_driver.ts";
import { ELEMENT_DATA_TYPE, type OperatorType } from "./custom_operators.ts";
import { MOST_PIECE_BYTES, type Piece } from "./uploads.ts";

/** What every tensor's address is a multiple of, as CUDA's own are. */
const ALIGNMENT = 256;

const NOT_PACKED = cString("session.disable_prepacking");
const YES = cString("1");

/** On which GPU weights are to be. */
export interface WeightPlace {
  readonly driver: CudaDriver;
  /** What tensors in its memory are made with. */
  readonly memory: bigint;
}

/**
 * Makes room on a GPU for the weights that a graph reads as they lie in their files, all of them in one
 * piece, and tells a session's options that they are there: ONNX Runtime would copy them one by one, on
 * the thread that makes the session.
 *
 * @param stack Frees them.
 * @returns What fills them.
 * @throws {Error} When there is no room.
 */
export function giveStoredWeights(
  { api, check, made }: CApi,
  options: bigint,
  { storedWeights = [] }: CompiledGraph,
  { driver, memory }: WeightPlace,
  stack: DisposableStack,
): readonly Piece[] {
  const weights = storedWeights.filter(({ type }) => type in ELEMENT_DATA_TYPE);
  if (weights.length === 0) return [];
  // Nothing may be made of them while the session is made: they are filled meanwhile.
  check(api.AddSessionConfigEntry(options, NOT_PACKED, YES));
  let total = 0;
  const offsets = weights.map(({ entry: { byteLength } }) => {
    const offset = total;
    total += Math.ceil(byteLength / ALIGNMENT) * ALIGNMENT;
    return BigInt(offset);
  });
  const { functions } = driver;
  const base = new BigUint64Array(1);
  driver.check(functions.cuMemAlloc_v2(base, BigInt(total)), "make room for the weights");
  stack.defer(() => void driver.functions.cuMemFree_v2(base[0]!));
  return weights.flatMap((weight, index) => {
    const { name, type, dims, entry } = weight;
    const place = base[0]! + offsets[index]!;
    const value = made((out) =>
      api.CreateTensorAt(
        memory,
        place,
        BigInt(entry.byteLength),
        BigInt64Array.from(dims, BigInt),
        BigInt(dims.length),
        ELEMENT_DATA_TYPE[type as OperatorType],
        out,
      )
    );
    stack.defer(() => api.ReleaseValue(value));
    check(api.AddInitializer(options, cString(name), value));
    return piecesOf(weight, place);
  });
}

function piecesOf({ entry }: StoredWeight, place: bigint): Piece[] {
  const { byteLength } = entry;
  return Array.from({ length: Math.ceil(byteLength / MOST_PIECE_BYTES) }, (_, index): Piece => {
    const from = index * MOST_PIECE_BYTES;
    return {
      bytes: Math.min(MOST_PIECE_BYTES, byteLength - from),
      read: (into, files) => files.read(entry, from, into),
      to: place + BigInt(from),
    };
  });
}
