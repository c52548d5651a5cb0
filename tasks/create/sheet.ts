/** The sheet of all pictures of a request. */
import type { RgbImage } from "../../src/image/mod.ts";
import type { Recipe } from "../../src/recipe/mod.ts";
import { ContactSheet, type SheetLayout, sheetLayout } from "../../src/studio/contact_sheet.ts";
import type { Grid } from "../../src/studio/grid.ts";
import { savePicture } from "../../src/studio/outputs.ts";
import { pictureFile, type Studio } from "../../src/studio/studio.ts";
import type { Plan } from "./plan.ts";

/** A sheet that was saved. */
export interface SavedSheet {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  /** Which pictures stand on it, as `--grid` reads it. */
  readonly grid: string;
  /** How large the pictures are on it: 1 for their own size. */
  readonly scale: number;
  /** What labels that stand for other text stand for. */
  readonly labels: SheetLayout["replaced"];
}

/** Fills a sheet, and saves it with a recipe that makes all of its pictures again. */
export class Sheet {
  readonly #grid: Grid;
  readonly #template: string | undefined;
  readonly #layout: SheetLayout;
  readonly #sheet: ContactSheet;
  #recipe: Recipe | undefined;

  private constructor(
    grid: Grid,
    template: string | undefined,
    largest: { readonly width: number; readonly height: number },
  ) {
    this.#grid = grid;
    this.#template = template;
    this.#layout = sheetLayout(grid);
    this.#sheet = new ContactSheet(this.#layout, largest);
  }

  /** Undefined where no sheet is asked for. */
  static of(plan: Plan, { pipe }: Pick<Studio, "pipe">): Sheet | undefined {
    const { grid, pictures, template } = plan;
    if (grid === undefined) return undefined;
    const most = (side: "width" | "height") =>
      Math.max(...pictures.map(({ request }) => request[side] ?? pipe.defaultSize));
    return new Sheet(grid, template, { width: most("width"), height: most("height") });
  }

  add(index: number, image: RgbImage, recipe: Recipe): void {
    this.#recipe ??= recipe;
    this.#sheet.add(index, image);
  }

  get image(): RgbImage {
    return this.#sheet.image;
  }

  /** Saves it beside the pictures: `output-sheet.png`. */
  async save(folder: string, name: string): Promise<SavedSheet> {
    const grid = this.#grid.text;
    const template = this.#template;
    const { template: _, ...first } = this.#recipe!;
    const recipe = { ...first, grid, ...(template === undefined ? {} : { template }) };
    const { image, scale } = this.#sheet;
    const png = await pictureFile({ image, recipe });
    const path = await savePicture(folder, `${name.replace(/\.[^.]*$/, "")}-sheet.png`, png);
    const { width, height } = image;
    return { path, width, height, grid, scale, labels: this.#layout.replaced };
  }
}
