/** Adapters that somebody else wrote: LoRA and its relatives, for any model or none. */
import { join } from "node:path";
import {
  adaptablePart,
  type AdaptableParts,
  type AdapterTarget,
  denseChange,
  readAdapter,
} from "../../../src/adapters/mod.ts";
import { NEWBIE } from "../../../src/families/mod.ts";
import { openWeights } from "../../../src/safetensors/mod.ts";
import { elementCount } from "../../../src/tensor.ts";
import type { Dice } from "./dice.ts";
import { type Json, jsonText, mutateBytes, mutateJson, mutateText, wildText } from "./mutate.ts";
import type { FuzzCase } from "./types.ts";

const PARTS = {
  transformer: "next-dit",
  textEncoder: "transformer",
  clipModel: "clip_model",
} as const;

/** A tensor of a draft: still easy to damage. */
interface Drafted {
  name: string;
  dtype: string;
  shape: number[];
}

const BYTES: Readonly<Record<string, number>> = {
  F64: 8,
  I64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I8: 1,
  U8: 1,
};
const EXTENTS: readonly number[] = [0, 1, 2, 3, 7, 16, 320, 640, 4096];
const MOST_VALUES = 1 << 19;

const flat = (module: string) => module.replaceAll(".", "_");
const STYLES: readonly ((module: string) => string)[] = [
  (module) => module,
  (module) => `lora_unet_${flat(module)}`,
  (module) => `lycoris_${flat(module)}`,
  (module) => `lora_te_${flat(module)}`,
  (module) => `diffusion_model.${module}`,
  (module) => `transformer.${module}`,
  (module) => `base_model.model.${module}`,
  (module) => `text_encoder.${module}`,
];

/** The tensors of one module's change, by kinds. */
const KINDS: readonly ((out: number, columns: number, rank: number) => [string, number[]][])[] = [
  (out, columns, rank) => [
    ["lora_down.weight", [rank, columns]],
    ["lora_up.weight", [out, rank]],
    ["alpha", []],
  ],
  (out, columns, rank) => [["lora_A.weight", [rank, columns]], ["lora_B.weight", [out, rank]]],
  (out, columns, rank) => [
    ["lora_A.default.weight", [rank, columns]],
    ["lora_B.default.weight", [out, rank]],
    ["lora_magnitude_vector", [out]],
  ],
  (out, columns, rank) => [
    ["hada_w1_a", [out, rank]],
    ["hada_w1_b", [rank, columns]],
    ["hada_w2_a", [out, rank]],
    ["hada_w2_b", [rank, columns]],
    ["alpha", [1]],
  ],
  (out, columns, rank) => [
    ["lokr_w1", [2, 2]],
    ["lokr_w2_a", [out / 2, rank]],
    ["lokr_w2_b", [rank, columns / 2]],
    ["alpha", []],
    ["dora_scale", [out, 1]],
  ],
  (out, columns) => [["lokr_w1", [4, 1]], ["lokr_w2", [out / 4, columns]], ["alpha", []]],
  (out, columns) => [["diff", [out, columns]]],
  (out) => [["diff_b", [out]]],
  (out) => [["w_norm", [out]]],
];

const ENDS: readonly string[] = [
  "lora_mid.weight",
  "oft_blocks",
  "a1.weight",
  "weight",
  "lora_down.weight",
  "alpha",
  "dora_scale",
  "",
];

const CONFIG: Json = {
  peft_type: "LORA",
  r: 2,
  lora_alpha: 4,
  use_rslora: false,
  rank_pattern: { "layers.0.attention.qkv": 3 },
  alpha_pattern: { "layers\\.[0-9]+\\.attention\\.qkv": 8, "w1": 2 },
};
const EXPRESSIONS: readonly string[] = [
  "(a+)+$",
  "(.*)*x",
  "((((.*)*)*)*)*y",
  "[",
  "(?=a)",
  "\\1",
  "a{1000}{1000}",
  "(?:x{0,999}){0,999}",
  ".".repeat(900),
  "",
];

/** Each has to be refused with its file named, or to change what the model has, by finite rules. */
export async function adapters(folder: string): Promise<FuzzCase> {
  const opened = Object.entries(PARTS).map(async ([part, place]) => {
    const weights = await openWeights(`models/demo/${place}`);
    return [part, adaptablePart(NEWBIE.networks[part as keyof typeof PARTS], weights)!] as const;
  });
  const parts: AdaptableParts = Object.fromEntries(await Promise.all(opened));
  const modules = Object.values(parts).flatMap(({ tensors }) =>
    [...tensors].filter(([name]) => name.endsWith(".weight"))
      .map(([name, shape]) => ({ module: name.slice(0, -".weight".length), shape }))
  );
  const file = join(folder, "adapter_model.safetensors");
  const config = join(folder, "adapter_config.json");
  return async (dice) => {
    const tensors = draft(modules, dice);
    for (let times = dice.roll(3); times > 0; times--) damage(tensors, dice);
    const bytes = fileOf(tensors, dice);
    await Deno.writeFile(file, dice.roll(8) === 0 ? mutateBytes(bytes, dice) : bytes);
    await Deno.remove(config).catch(() => {});
    if (dice.roll(3) === 0) await Deno.writeTextFile(config, configText(dice));
    const adapter = await readAdapter(dice.roll(2) === 0 ? folder : file, parts);
    for (const [part, targets] of adapter.parts) {
      for (const target of targets) {
        const fault = await faultOf(target, parts[part]!.tensors, dice);
        if (fault !== undefined) return `${target.tensor}: ${fault}`;
      }
    }
  };
}

async function faultOf(
  { tensor, rows, shape, change }: AdapterTarget,
  tensors: ReadonlyMap<string, readonly number[]>,
  dice: Dice,
): Promise<string | undefined> {
  const whole = tensors.get(tensor);
  if (whole === undefined) return "the model has no such tensor";
  const [from, to] = rows ?? [0, whole[0]!];
  if (from < 0 || to > whole[0]! || from >= to) return `rows ${from} to ${to}`;
  const expected = [to - from, ...whole.slice(1)];
  if (String(shape) !== String(expected)) return `shape ${shape}, expected ${expected}`;
  if ("scale" in change && !Number.isFinite(change.scale)) return `scale ${change.scale}`;
  const size = elementCount(shape);
  // Computing all would take most of the time.
  if (size > MOST_VALUES || dice.roll(8) !== 0) return undefined;
  const values = await denseChange({ shape, change }, new Float32Array(size).fill(0.5));
  return values.length === size ? undefined : `${values.length} values instead of ${size}`;
}

function draft(
  modules: readonly { readonly module: string; readonly shape: readonly number[] }[],
  dice: Dice,
): Drafted[] {
  const style = dice.pick(STYLES);
  const tensors: Drafted[] = [];
  for (let count = 1 + dice.roll(4); count > 0; count--) {
    const { module, shape } = dice.pick(modules);
    const [out, columns = 1] = shape as [number, number?];
    const kinds = shape.length === 1 ? KINDS.slice(-1) : KINDS.slice(0, -1);
    const dtype = dice.pick(["F32", "F16", "BF16"]);
    for (const [end, extents] of dice.pick(kinds)(out, columns, 1 + dice.roll(3))) {
      tensors.push({ name: `${style(module)}.${end}`, dtype, shape: extents });
    }
  }
  return tensors;
}

/** One thing is not what it was: a name, a shape, a dtype, a tensor too few or too many. */
function damage(tensors: Drafted[], dice: Dice): void {
  const at = dice.roll(tensors.length || 1);
  const tensor = tensors[at];
  if (tensor === undefined) return;
  switch (dice.roll(8)) {
    case 0:
      tensors.splice(at, 1);
      break;
    case 1:
      tensor.name = mutateText(tensor.name, dice);
      break;
    case 2:
      tensor.name = tensor.name.slice(0, tensor.name.lastIndexOf(".") + 1) + dice.pick(ENDS);
      break;
    case 3:
      tensor.shape[dice.roll(tensor.shape.length + 1)] = dice.pick(EXTENTS);
      break;
    case 4:
      tensor.shape.push(...Array.from({ length: dice.roll(40) }, () => 1));
      break;
    case 5:
      tensor.dtype = dice.pick(Object.keys(BYTES));
      break;
    case 6:
      tensors.push({ ...tensor, name: wildText(dice).slice(0, 3000), shape: [...tensor.shape] });
      break;
    default:
      tensors.push({
        ...tensor,
        name: `base_model.model.${tensor.name}`,
        shape: [...tensor.shape],
      });
  }
}

const VALUES: readonly number[] = [0, 1, -2, 0.25, 1e30, -1e-30, NaN, Infinity];

function fileOf(tensors: readonly Drafted[], dice: Dice): Uint8Array {
  let end = 0;
  const entries: Record<string, unknown> = dice.roll(4) === 0
    ? { __metadata__: { lora_adapter_metadata: jsonText(mutateJson(CONFIG, dice), dice) } }
    : {};
  for (const { name, dtype, shape } of tensors) {
    if (Object.hasOwn(entries, name)) continue;
    const length = elementCount(shape) * BYTES[dtype]!;
    if (length > 4 * MOST_VALUES) continue;
    entries[name] = { dtype, shape, data_offsets: [end, end += length] };
  }
  const header = new TextEncoder().encode(JSON.stringify(entries));
  const bytes = new Uint8Array(8 + header.length + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  const data = new DataView(bytes.buffer, 8 + header.length);
  for (let at = 0; at + 4 <= Math.min(end, 64); at += 4) {
    data.setFloat32(at, dice.pick(VALUES), true);
  }
  return bytes;
}

function configText(dice: Dice): string {
  if (dice.roll(3) > 0) return jsonText(mutateJson(CONFIG, dice), dice);
  const patterns = Object.fromEntries(
    Array.from({ length: 1 + dice.roll(6) }, () => [dice.pick(EXPRESSIONS), dice.roll(9)]),
  );
  return JSON.stringify({
    ...CONFIG as object,
    r: 1 + dice.roll(3),
    rank_pattern: {},
    alpha_pattern: patterns,
  });
}
