/** Safetensors files of the demo model with other names, dtypes and companions. */
import { dirname } from "node:path";

/** A tensor as a file has it. */
export interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export type Tensors = Readonly<Record<string, Stored>>;

/** Reads a file whole. */
export async function readTensors(path: string): Promise<Tensors> {
  const bytes = await Deno.readFile(path);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const tensors: Record<string, Stored> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, data_offsets: [begin, end] } = value as {
      dtype: string;
      shape: number[];
      data_offsets: [number, number];
    };
    tensors[name] = { dtype, shape, bytes: bytes.subarray(8 + length + begin, 8 + length + end) };
  }
  return tensors;
}

/** Writes a file, folders included. */
export async function writeTensors(path: string, tensors: Tensors): Promise<void> {
  let end = 0;
  const header: Record<string, unknown> = {};
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [end, end += bytes.length] };
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  let at = 8 + json.length;
  for (const { bytes } of Object.values(tensors)) {
    file.set(bytes, at);
    at += bytes.length;
  }
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeFile(path, file);
}

/** The same tensors under other names. */
export function renamed(tensors: Tensors, rename: (name: string) => string): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, value]) => [rename(name), value]));
}

/** The demo model as ComfyUI keeps models: by part, its folder in the demo and its file. */
export const COMFYUI = {
  transformer: ["next-dit", "diffusion_models/newbie"],
  textEncoder: ["transformer", "text_encoders/gemma"],
  clipModel: ["clip_model", "text_encoders/jina"],
  vae: ["vae", "vae/ae"],
} as const;

/** Writes the demo model as single files, each with its configuration and tokenizer. */
export async function writeComfyUi(folder: string): Promise<void> {
  for (const [source, target] of Object.values(COMFYUI)) {
    const path = `${folder}/${target}`;
    await Deno.mkdir(dirname(path), { recursive: true });
    for (const [file, ending] of Object.entries(ENDINGS)) {
      await Deno.copyFile(`models/demo/${source}/${file}`, path + ending).catch((error) => {
        if (file !== "tokenizer.json") throw error;
      });
    }
  }
}

const ENDINGS = {
  "model.safetensors": ".safetensors",
  "config.json": ".json",
  "tokenizer.json": ".tokenizer.json",
};

/** Writes the demo model as a Hugging Face pipeline folder. */
export async function writePipeline(folder: string): Promise<void> {
  const parts = { ...DEMO_FOLDERS };
  for (const [part, source] of Object.entries(parts)) {
    await Deno.mkdir(`${folder}/${part}`, { recursive: true });
    for await (const { name } of Deno.readDir(`models/demo/${source}`)) {
      await Deno.copyFile(`models/demo/${source}/${name}`, `${folder}/${part}/${name}`);
    }
  }
}

const DEMO_FOLDERS = {
  transformer: "next-dit",
  text_encoder: "transformer",
  clip_model: "clip_model",
  vae: "vae",
};
