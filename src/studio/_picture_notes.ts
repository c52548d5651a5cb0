/** What a picture says of itself, as far as the gallery shows it. */
import { readRecipe, RecipeError } from "../recipe/mod.ts";

/** Notes of a picture; none where it carries none. */
export interface PictureNotes {
  readonly prompt?: string;
  /** In decimal. */
  readonly seed?: string;
  readonly width?: number;
  readonly height?: number;
}

/**
 * Reads the notes, of whichever program.
 *
 * @param head The first bytes of the file; texts stand there.
 */
export function readNotes(head: Uint8Array): PictureNotes {
  try {
    const { prompt, generator, width, height } = readRecipe(head);
    return { prompt, seed: String(generator.seed), width, height };
  } catch (error) {
    if (!(error instanceof RecipeError) || error.problem.kind !== "foreign") return {};
    const { prompt, generator, width, height } = error.problem.recipe.settings;
    return {
      ...(prompt === undefined ? {} : { prompt }),
      ...(generator?.seed === undefined ? {} : { seed: String(generator.seed) }),
      ...(width === undefined ? {} : { width }),
      ...(height === undefined ? {} : { height }),
    };
  }
}
