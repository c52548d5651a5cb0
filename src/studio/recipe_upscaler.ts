import { RequestError } from "../errors.ts";
import { lastPart, leadsOut } from "../files.ts";
import { findUpscaler, type FoundUpscaler, upscalerNames } from "../pipeline/find_upscaler.ts";
import type { Recipe } from "../recipe/mod.ts";
import { CHECKSUMS } from "./studio.ts";

/** What enlarges and is no network. */
const METHODS: readonly string[] = ["lanczos", "latent"];

/**
 * What enlarges as another program's picture says, if that is here: `lanczos`, `latent`, or a network of
 * models/upscaler by its name. A path is nothing that others may say.
 */
export async function foreignUpscaler(name: string): Promise<string | undefined> {
  const known = [...METHODS, ...await upscalerNames()];
  return known.includes(name) ? name : undefined;
}

/**
 * The network that enlarged a recipe's picture: by its checksum, whatever it is called here, else by
 * its name. A recipe may come from anyone: its name leads nowhere but below this folder.
 *
 * @param from The path of the picture with the recipe.
 * @returns Undefined where no network did.
 * @throws {RequestError} When it is not there.
 */
export async function recipeUpscaler(
  { upscaler, hires }: Pick<Recipe, "upscaler" | "hires">,
  from: string,
): Promise<FoundUpscaler | undefined> {
  const { name = "lanczos", sha256 } = upscaler ?? { name: hires?.upscaler };
  if (upscaler === undefined && METHODS.includes(name)) return undefined;
  try {
    const own = leadsOut(name) ? lastPart(name) : name;
    return await findUpscaler(own, { sha256, cacheFile: CHECKSUMS });
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    throw new RequestError({
      en: `${from} was drawn twice. ${error.explain("en")}`,
      zh: `${from} 绘制了两次。${error.explain("zh")}`,
    }, { cause: error });
  }
}
