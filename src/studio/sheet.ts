/** The sheet of all pictures of a request. */
import type { RgbImage } from "../image/mod.ts";
import type { Recipe } from "../recipe/mod.ts";
import { ContactSheet, type SheetLayout, sheetLayout } from "./contact_sheet.ts";
import type { Grid } from "./grid.ts";
import { savePicture } from "./outputs.ts";
import { pictureFile } from "./studio.ts";
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

  /**
   * @param template What the grid begins with, where that is a template.
   * @param largest The largest picture that will stand on it, in pixels.
   */
  constructor(
    grid: Grid,
    template: string | undefined,
    largest: { readonly width: number; readonly height: number },
  ) {
    this.#grid = grid;
    this.#template = template;
    this.#layout = sheetLayout(grid);
    this.#sheet = new ContactSheet(this.#layout, largest);
  }

  /**
   * The sheet of a plan; undefined where it asks for none.
   *
   * @param defaultSize Width and height of a picture that says none.
   */
  static of({ grid, pictures, template }: Plan, defaultSize: number): Sheet | undefined {
    if (grid === undefined) return undefined;
    const most = (side: "width" | "height") =>
      Math.max(...pictures.map(({ request }) => request[side] ?? defaultSize));
    return new Sheet(grid, template, { width: most("width"), height: most("height") });
  }

  add(index: number, image: RgbImage, recipe: Recipe): void {
    this.#recipe ??= recipe;
    this.#sheet.add(index, image);
  }

  get image(): RgbImage {
    return this.#sheet.image;
  }

  /** Its file, a PNG with a recipe that makes all of its pictures again. At least one has to be there. */
  async file(): Promise<Uint8Array> {
    const template = this.#template;
    const { template: _, ...first } = this.#recipe!;
    const recipe = {
      ...first,
      grid: this.#grid.text,
      ...(template === undefined ? {} : { template }),
    };
    return await pictureFile({ image: this.image, recipe });
  }

  /** Saves it beside the pictures: `output-sheet.png`. */
  async save(folder: string, name: string, root: string): Promise<SavedSheet> {
    const path = await savePicture(folder, sheetName(name), await this.file(), { root });
    const { width, height } = this.image;
    const labels = this.#layout.replaced;
    return { path, width, height, grid: this.#grid.text, scale: this.#sheet.scale, labels };
  }
}

/** What a sheet is called beside pictures of a name: `output-sheet.png`. */
export function sheetName(name: string): string {
  return `${name.replace(/\.[^.]*$/, "")}-sheet.png`;
}
