import {
  type CompiledGraph,
  type StoredWeight,
  unpackedByteLength,
  type UnpackedWeight,
  UnpackThreads,
} from "../../onnx/mod.ts";
import { rowsOf } from "../../safetensors/mod.ts";
import { type CApi, cString } from "./c_api.ts";
import type { CudaDriver } from "./cuda_driver.ts";
import { ELEMENT_DATA_TYPE, type OperatorType } from "./custom_operators.ts";
import { endingReader, MOST_PIECE_BYTES, type Piece } from "./uploads.ts";

/** What every tensor's address is a multiple of, as CUDA's own are. */
const ALIGNMENT = 256;

/** ONNX Runtime's numbers for the types that weights have. */
const DATA_TYPE = { ...ELEMENT_DATA_TYPE, uint8: 2 };

const NOT_PACKED = cString("session.disable_prepacking");
const YES = cString("1");

/** On which GPU weights are to be. */
export interface WeightPlace {
  readonly driver: CudaDriver;
  /** What tensors in its memory are made with. */
  readonly memory: bigint;
}

/**
 * Makes room on a GPU for the weights that a graph reads as they lie in their files, and for those that
 * are unpacked for it, all of them in one piece, and tells a session's options that they are there: ONNX
 * Runtime would copy them one by one, on the thread that makes the session.
 *
 * @param stack Frees them.
 * @returns What fills them.
 * @throws {Error} When there is no room.
 */
export function giveStoredWeights(
  { api, check, made }: CApi,
  options: bigint,
  { storedWeights = [], unpackedWeights = [] }: CompiledGraph,
  { driver, memory }: WeightPlace,
  stack: DisposableStack,
): readonly Piece[] {
  const stored = storedWeights.filter(({ type }) => type in ELEMENT_DATA_TYPE);
  const rooms = [
    ...stored.map((weight) => ({ ...weight, byteLength: weight.entry.byteLength })),
    ...unpackedWeights.flatMap(({ initializers }) => initializers).map((initializer) => ({
      ...initializer,
      byteLength: unpackedByteLength(initializer),
    })),
  ];
  if (rooms.length === 0) return [];
  // Nothing may be made of them while the session is made: they are filled meanwhile.
  check(api.AddSessionConfigEntry(options, NOT_PACKED, YES));
  let total = 0;
  const offsets = rooms.map(({ byteLength }) => {
    const offset = total;
    total += Math.ceil(byteLength / ALIGNMENT) * ALIGNMENT;
    return BigInt(offset);
  });
  const { functions } = driver;
  const base = new BigUint64Array(1);
  driver.check(functions.cuMemAlloc_v2(base, BigInt(total)), "make room for the weights");
  stack.defer(() => void driver.functions.cuMemFree_v2(base[0]!));
  const places = new Map<string, bigint>();
  for (const [index, { name, type, dims, byteLength }] of rooms.entries()) {
    const place = base[0]! + offsets[index]!;
    places.set(name, place);
    const value = made((out) =>
      api.CreateTensorAt(
        memory,
        place,
        BigInt(byteLength),
        BigInt64Array.from(dims, BigInt),
        BigInt(dims.length),
        DATA_TYPE[type as OperatorType | "uint8"],
        out,
      )
    );
    stack.defer(() => api.ReleaseValue(value));
    check(api.AddInitializer(options, cString(name), value));
  }
  const threads = stack.use(new UnpackThreads());
  return [
    ...stored.flatMap((weight) => piecesOf(weight, places.get(weight.name)!)),
    ...endingReader(
      threads,
      unpackedWeights.flatMap((weight) => unpackedPieces(weight, places, threads)),
    ),
  ];
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

/** Some rows of a matrix at a time, in all of its forms. */
function unpackedPieces(
  { entry, initializers }: UnpackedWeight,
  places: ReadonlyMap<string, bigint>,
  threads: UnpackThreads,
): Piece[] {
  const rows = initializers[0]!.dims[0]!;
  const forms = initializers.map((initializer) => ({
    name: initializer.name,
    rowBytes: unpackedByteLength(initializer) / rows,
  }));
  const rowBytes = forms.reduce((sum, { rowBytes }) => sum + rowBytes, 0);
  const most = Math.max(1, Math.floor(MOST_PIECE_BYTES / rowBytes));
  return Array.from({ length: Math.ceil(rows / most) }, (_, index): Piece => {
    const from = index * most;
    const count = Math.min(most, rows - from);
    return {
      bytes: count * rowBytes,
      read: async (into) => {
        const part = rowsOf({ ...entry, shape: [rows, ...entry.shape.slice(1)] }, [
          from,
          from + count,
        ]);
        const made = await threads.unpack({ entry: part, initializers });
        let at = 0;
        for (const { name } of forms) {
          into.set(made[name]!, at);
          at += made[name]!.length;
        }
      },
      to: forms.map(({ name, rowBytes }) => ({
        bytes: count * rowBytes,
        to: places.get(name)! + BigInt(from * rowBytes),
      })),
    };
  });
}
