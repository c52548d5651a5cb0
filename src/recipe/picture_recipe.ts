import { RequestError } from "../errors.ts";
import type { NewBieImagePipeline } from "../pipeline/pipeline.ts";
import type { LoadedAdapter } from "../pipeline/adapters/types.ts";
import type { GenerateResult } from "../pipeline/types.ts";
import { exact, SETTINGS, withoutAbsent } from "../settings/mod.ts";
import type { Recipe, RecipeAdapter, RecipeModels } from "./types.ts";
import { currentVersions } from "./versions.ts";

/**
 * The recipe of one picture of a call of `generate`.
 *
 * @param pipe What made it.
 * @param result What `generate` returned.
 * @param models What `identifyModels` says of `pipe.checkpoint`.
 * @param index Which of the result's pictures.
 * @throws {RequestError} When there is no such picture, or its noise or its prompt's features were
 *   given and so no seed or text makes it again.
 */
export function pictureRecipe(
  pipe: Pick<NewBieImagePipeline, "device" | "dtype" | "arithmetic">,
  { settings, seeds, images, adapters = [], upscaler }:
    & Pick<GenerateResult<unknown>, "settings" | "seeds" | "images" | "upscaler">
    & Partial<Pick<GenerateResult<unknown>, "adapters">>,
  models: RecipeModels,
  index = 0,
): Recipe {
  if (!(index in images)) {
    throw new RequestError(`There is no picture ${index}: the result has ${images.length}.`, {
      zh: `没有第 ${index} 张图片：结果共有 ${images.length} 张。`,
    });
  }
  const seed = seeds[index];
  const { numImagesPerPrompt, generator, prompt, negativePrompt, ...shared } = settings;
  const own = Array.isArray(generator) ? generator[index] : generator;
  if (seed === undefined || own === undefined) {
    throw new RequestError(
      "The picture's noise was given as latents: no seed makes it again, so it has no recipe. " +
        "Give a generator instead.",
      {
        zh:
          "这张图片的噪声是以 latents 给出的：没有种子能重新得到它，因此没有配方。请改用 generator。",
      },
    );
  }
  if (prompt === undefined || negativePrompt === undefined) {
    throw new RequestError(
      "The picture was drawn from features of a prompt (promptEmbeds): no text makes it again, so " +
        "it has no recipe. Give the prompt instead.",
      {
        zh: "这张图片由提示词特征（promptEmbeds）绘制：没有文字能重新得到它，因此没有配方。" +
          "请改为给出提示词。",
      },
    );
  }
  const ofPrompt = Math.floor(index / numImagesPerPrompt);
  const textOf = (texts: string | readonly string[]) =>
    typeof texts === "string" ? texts : texts[ofPrompt]!;
  const picture = {
    ...shared,
    prompt: textOf(prompt),
    negativePrompt: textOf(negativePrompt),
    // Where it lay on this machine is nobody's concern.
    ...(upscaler === undefined ? {} : { hires: { ...shared.hires, upscaler: upscaler.name } }),
    // As torch counts negative seeds: from 2⁶⁴ downwards.
    generator: {
      device: SETTINGS.generator.device.default,
      ...own,
      seed: exact(BigInt.asUintN(64, BigInt(seed))),
    },
  };
  return {
    ...withoutAbsent(picture, SETTINGS),
    models,
    ...(adapters.length === 0 ? {} : { adapters: adapters.map(recorded) }),
    ...(upscaler === undefined ? {} : { upscaler }),
    provider: pipe.device,
    dtype: pipe.dtype,
    versions: currentVersions(),
    arithmetic: pipe.arithmetic,
  } as unknown as Recipe;
}

function recorded({ name, weight, textWeight, sha256 }: LoadedAdapter): RecipeAdapter {
  return { name, weight, ...(textWeight === weight ? {} : { textWeight }), sha256 };
}
