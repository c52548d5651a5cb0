/** What other programs call settings: AUTOMATIC1111's API, diffusers, ComfyUI, stable-diffusion.cpp. */
const OTHERS: Readonly<Record<string, string>> = {
  batch_count: "count",
  cfg: "guidance",
  cfg_scale: "guidance",
  denoise: "strength",
  denoising_strength: "strength",
  guidance_scale: "guidance",
  init_image: "image",
  init_img: "image",
  mask_image: "mask",
  n_iter: "count",
  negative: "negative_prompt",
  num_images_per_prompt: "count",
  num_inference_steps: "steps",
  sampler: "scheduler",
  sampler_name: "scheduler",
  sampling_method: "scheduler",
  subseed: "variation_seed",
  subseed_strength: "variation_strength",
};

/**
 * What a word of another program is called here, in the words of a batch's line.
 *
 * @returns Undefined where it is no such word.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(ownWordFor("cfg_scale"), "guidance");
 * assert.equal(ownWordFor("guidance"), undefined);
 * ```
 */
export function ownWordFor(word: string): string | undefined {
  const name = word.replace(/^-+/, "").replaceAll("-", "_").toLowerCase();
  return Object.hasOwn(OTHERS, name) ? OTHERS[name] : undefined;
}
