/**
 * Each part's error against PyTorch in float32, beside PyTorch's own error in half precision,
 * on the inputs and outputs that bench/reference/components.py stored.
 */
import { join } from "node:path";
import {
  compileGemma3,
  compileJinaClip,
  compileNextDiT,
  compileVae,
  parseGemma3Config,
  parseJinaClipConfig,
  parseNextDiTConfig,
  parseVaeConfig,
} from "../src/models/mod.ts";
import { type Device, type Dtype, dtypePolicy } from "../src/onnx/mod.ts";
import { ClipModel } from "../src/pipeline/parts/clip_model.ts";
import { TextEncoder } from "../src/pipeline/parts/text_encoder.ts";
import { loadTransformer } from "../src/pipeline/parts/load_transformer.ts";
import { permittedPolicy } from "../src/pipeline/parts/permitted_policy.ts";
import { Vae } from "../src/pipeline/parts/vae.ts";
import { openWeights, readSafetensorsHeader } from "../src/safetensors/mod.ts";
import type { Tensor } from "../src/tensor.ts";
import { readTensor, relativeError } from "./_tensors.ts";

/** What to compare. */
export interface AccuracyRequest {
  /** The folder of the models, in the toolkit's own layout. */
  readonly models: string;
  /** What components.py wrote. */
  readonly reference: string;
  readonly device: Device;
  readonly dtype: Dtype | "auto";
  /** Which of the parts that the reference holds; by default all of them. */
  readonly parts?: readonly AccuracyPart[];
}

/** A part of the model. */
export type AccuracyPart = "transformer" | "text_encoder" | "clip_model" | "vae" | "vae_kl";

/** Relative errors of one output, as norms: ‖x − float32‖ / ‖float32‖. */
export interface Accuracy {
  readonly output: string;
  readonly ours: number;
  /** PyTorch's in half precision. */
  readonly pytorch: number;
}

/** Compares every part that the reference holds. */
async function benchAccuracy(request: AccuracyRequest): Promise<Accuracy[]> {
  const { models, device, dtype, parts } = request;
  const reference = await Reference.open(request.reference);
  const policy = dtypePolicy(device, dtype)!;
  const hold = { device, resident: true };
  const open = async (folder: string) => {
    const path = join(models, folder);
    const file = join(path, "config.json");
    const json = JSON.parse(await Deno.readTextFile(file));
    return { weights: await openWeights(path), json, file };
  };
  const results: Accuracy[] = [];
  const compare = async (part: string, output: string, ours: Tensor) => {
    const half = part.startsWith("vae") ? "float16" : "bfloat16";
    const exact = await reference.read(`${part}.${output}_float32`);
    const rounded = await reference.read(`${part}.${output}_${half}`);
    const name = `${part}.${output}`;
    results.push({
      output: name,
      ours: relativeError(ours.data, exact.data),
      pytorch: relativeError(rounded.data, exact.data),
    });
  };
  const isWanted = (part: AccuracyPart, input: string) =>
    (parts?.includes(part) ?? true) && reference.has(input);
  const ids = async (name: string) => Int32Array.from((await reference.read(name)).data);

  if (isWanted("transformer", "transformer_text.caption_features")) {
    const { json, file, weights } = await open("next-dit-3.5b");
    const config = parseNextDiTConfig(json, file, weights);
    await using transformer = await loadTransformer(
      config,
      (policy) => compileNextDiT(config, weights, policy),
      { policy: await permittedPolicy(policy), resident: true },
    );
    const { caption, pooled } = await transformer.condition(
      await reference.read("transformer_text.caption_features"),
      await reference.read("transformer_text.pooled_features"),
    );
    await compare("transformer_text", "caption", caption);
    await compare("transformer_text", "pooled", pooled!);
    const [timestep] = (await reference.read("transformer_step.timestep")).data;
    const [velocity] = await transformer.predict(
      await reference.read("transformer_step.latents"),
      timestep!,
      [{
        caption: await reference.read("transformer_step.caption"),
        pooled: await reference.read("transformer_step.pooled"),
      }],
    );
    await compare("transformer_step", "velocity", velocity!);
  }
  if (isWanted("text_encoder", "text_encoder.ids")) {
    const { json, file, weights } = await open("transformer/gemma-3-2b");
    const config = parseGemma3Config(json, file, weights);
    const graphs = compileGemma3(config, weights, policy);
    await using encoder = await TextEncoder.create(config, graphs, hold);
    const features = await encoder.encode(await ids("text_encoder.ids"));
    await compare("text_encoder", "features", features);
  }
  if (isWanted("clip_model", "clip_model.ids")) {
    const { json, file, weights } = await open("clip_model/jina-clip-v2");
    const config = parseJinaClipConfig(json, file, weights);
    await using clip = await ClipModel.create(
      config,
      compileJinaClip(config, weights, policy),
      device,
    );
    await compare("clip_model", "pooled", await clip.encode(await ids("clip_model.ids")));
  }
  for (const [part, folder] of [["vae", "vae/taesd"], ["vae_kl", "vae/autoencoder-kl"]] as const) {
    if (!isWanted(part, `${part}.latents`)) continue;
    const { json, file, weights } = await open(folder);
    const config = parseVaeConfig(json, file, weights);
    const graphs = compileVae(config, weights, policy);
    await using decoder = await Vae.create(config, graphs, device);
    await compare(part, "image", await decoder.decode(await reference.read(`${part}.latents`)));
  }
  return results;
}

/** The stored tensors, read one at a time: all of them together are gigabytes. */
class Reference {
  readonly #tensors: Awaited<ReturnType<typeof readSafetensorsHeader>>["tensors"];

  private constructor(tensors: Awaited<ReturnType<typeof readSafetensorsHeader>>["tensors"]) {
    this.#tensors = tensors;
  }

  static async open(path: string): Promise<Reference> {
    return new Reference((await readSafetensorsHeader(path)).tensors);
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  async read(name: string): Promise<Tensor> {
    const entry = this.#tensors.get(name);
    if (entry === undefined) throw new TypeError(`The reference has no ${name}.`);
    return await readTensor(entry);
  }
}

if (import.meta.main) {
  console.log(JSON.stringify(await benchAccuracy(JSON.parse(Deno.args[0]!)), null, 1));
}
