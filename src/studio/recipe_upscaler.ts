import { RequestError } from "../errors.ts";
import { findUpscaler, type FoundUpscaler, upscalerNames } from "../pipeline/find_upscaler.ts";
import type { Recipe } from "../recipe/mod.ts";
import { CHECKSUMS } from "./studio.ts";

/**
 * What enlarges as another program's picture says, if that is here: `lanczos`, `latent`, or a network of
 * models/upscaler by its name. A path is nothing that others may say.
 */
export async function foreignUpscaler(name: string): Promise<string | undefined> {
  const known = ["lanczos", "latent", ...await upscalerNames()];
  return known.includes(name) ? name : undefined;
}

/**
 * The network that enlarged a recipe's picture: by its checksum, whatever it is called here, else by
 * its name.
 *
 * @param from The path of the picture with the recipe.
 * @returns Undefined where no network did.
 * @throws {RequestError} When it is not there.
 */
export async function recipeUpscaler(
  { upscaler }: Pick<Recipe, "upscaler">,
  from: string,
): Promise<FoundUpscaler | undefined> {
  if (upscaler === undefined) return undefined;
  try {
    const { name, sha256 } = upscaler;
    return await findUpscaler(name, { sha256, cacheFile: CHECKSUMS });
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    throw new RequestError({
      en: `${from} was drawn twice. ${error.explain("en")}`,
      zh: `${from} 绘制了两次。${error.explain("zh")}`,
    }, { cause: error });
  }
}
