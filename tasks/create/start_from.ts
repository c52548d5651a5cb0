/** What `--from` means for the picture that a new one starts from. */
import type { Recipe } from "../../src/recipe/mod.ts";
import type { AskedSettings } from "../../src/settings/mod.ts";
import { recipeSource } from "../../src/studio/recipe_source.ts";

/** How a request begins. */
export interface StartFrom {
  /** The weakest of the request's layers: what the recipe says, as far as it counts here. */
  readonly request: AskedSettings;
  /** The strongest. */
  readonly changed: AskedSettings;
  /** Which pictures are others than those of the recipe. */
  readonly differences: readonly ("image" | "mask")[];
}

/**
 * Which picture to start from.
 *
 * With a strength and no picture, `--from` names the picture: the new one goes on from it, with its
 * prompt and settings unless others are given, with new noise, and of its size. Otherwise the recipe's
 * picture is made again, from the very pictures that it was made from.
 *
 * @param own What the recipe says.
 * @param typed What was asked for besides.
 * @throws {RequestError} When a picture that the recipe needs is gone or has changed.
 */
export async function pictureToStartFrom(
  own: AskedSettings,
  typed: AskedSettings,
  { recipe, from }: { readonly recipe: Recipe | undefined; readonly from: string | undefined },
): Promise<StartFrom> {
  const given = typed.source ?? {};
  if (from !== undefined && typed.strength !== undefined && given.image === undefined) {
    // What made that picture of another one, or larger, it has already.
    const { source: _source, strength: _strength, maskBlur: _blur, ...rest } = own;
    const { overlay: _overlay, differentialMask: _kind, hires: _hires, ...others } = rest;
    const { width: _w, height: _h, variation: _other, seedResizeFrom: _size, ...shared } = others;
    const { seed: _seed, ...generator } = shared.generator ?? {};
    return {
      request: { ...shared, generator },
      changed: { source: { ...given, image: from } },
      differences: [],
    };
  }
  const hasPictures = recipe?.pictures !== undefined ||
    recipe?.source?.image !== undefined || recipe?.source?.mask !== undefined;
  if (!hasPictures) return { request: own, changed: {}, differences: [] };
  const { source, differences } = await recipeSource(recipe, from!, given);
  const { width: _width, height: _height, ...rest } = own;
  const { width, height } = recipe.pictures ?? {};
  return {
    request: {
      ...rest,
      ...(width === undefined ? {} : { width }),
      ...(height === undefined ? {} : { height }),
    },
    changed: { source },
    differences,
  };
}
