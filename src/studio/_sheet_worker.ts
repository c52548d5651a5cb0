/** The thread of {@linkcode makeSheet}. */
import { explainError } from "../errors.ts";
import { decodePicture } from "../image/mod.ts";
import { readRecipe } from "../recipe/mod.ts";
import { parseGrid } from "./grid.ts";
import type { SheetAnswer, SheetRequest } from "./make_sheet.ts";
import { Sheet } from "./sheet.ts";

/** The part of a worker's global scope that is needed here; lib.dom knows another one. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<SheetRequest>) => void;
  postMessage: (message: SheetAnswer, transfer?: Transferable[]) => void;
};

scope.onmessage = async ({ data: { grid, template, pictures } }) => {
  try {
    const most = (side: "width" | "height") => Math.max(...pictures.map((own) => own[side]));
    const sheet = new Sheet(parseGrid(grid), template, {
      width: most("width"),
      height: most("height"),
    });
    // One after the other: a sheet may have many.
    for (const { index, path } of pictures) {
      const bytes = await Deno.readFile(path);
      sheet.add(index, (await decodePicture(bytes)).image, readRecipe(bytes));
    }
    const file = new Uint8Array(await sheet.file());
    const { width, height } = sheet.image;
    scope.postMessage({ made: { file, width, height } }, [file.buffer]);
  } catch (error) {
    scope.postMessage({
      problem: { en: explainError(error, "en"), zh: explainError(error, "zh") },
    });
  }
};
