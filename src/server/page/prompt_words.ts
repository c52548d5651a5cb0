/** What a request says of presets, of a grid, of how many pictures. */
import { gridWords } from "./grid_model.ts";
import { presetWords } from "./presets_model.ts";
import type { Draft } from "./store.ts";
import type { Words } from "./types.ts";

/** Words of a draft besides its settings, in place of what it remembers under the same names. */
export function promptWords(draft: Draft): Words {
  return { ...presetWords(draft.values), ...gridWords(draft) };
}
