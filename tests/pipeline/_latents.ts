import { NewBieImagePipeline } from "../../src/mod.ts";
import type { GenerateOptions, PretrainedOptions } from "../../src/pipeline/types.ts";

/** Small latents of a model, with one part loaded at a time: every part but the VAE has a share in them. */
export async function latents(
  folder: string,
  options: PretrainedOptions = {},
  asked: GenerateOptions = {},
): Promise<Float32Array> {
  const silent = { log: () => {}, device: "cpu", offload: "model" } as const;
  await using pipe = await NewBieImagePipeline.fromPretrained(folder, { ...silent, ...options });
  const { images: [image] } = await pipe.generate({
    prompt: "1girl",
    width: 64,
    height: 64,
    numInferenceSteps: 1,
    guidanceScale: 1,
    generator: { seed: 1 },
    ...asked,
    outputType: "latent",
  });
  return image!.data;
}
