/** Which pictures a request asks for: one, several with seeds in a row, all of a template, a grid. */
import { RequestError } from "../errors.ts";
import type { GeneratorOptions } from "../random/mod.ts";
import {
  type Grid,
  type GridCell,
  gridCells,
  inAxis,
  MOST_CELLS,
  promptGrid,
  seedGrid,
} from "./grid.ts";
import { PromptTemplate } from "./prompt_template.ts";
import { laterSeed, type PictureRequest, requestedGenerator } from "./request.ts";

/** What decides how many pictures there are. */
export interface PlanOptions {
  /** How many, with seeds in a row. */
  readonly count: number;
  /**
   * Whether the prompt was drawn already: then it is taken as it is, even where it looks like a
   * template.
   */
  readonly isDrawn?: boolean;
  /** Makes all prompts of a template with one seed, at most so many, instead of `count` pictures. */
  readonly combinations?: { readonly limit: number | undefined };
  /** Makes the pictures of a grid, and their sheet, instead of `count` pictures. */
  readonly grid?: Grid | undefined;
  /** Where `__name__` is looked up, where it is not the usual folder. */
  readonly wildcards?: string | undefined;
  /** Puts the pictures on a sheet, too. */
  readonly hasSheet?: boolean | undefined;
  /** Throws where the model cannot draw a size; where it is absent, this shows when it draws. */
  readonly checkSize?: (
    size: { readonly width?: number | undefined; readonly height?: number | undefined },
  ) => void;
}

/** A picture to be made. */
export interface PlannedPicture {
  readonly request: PictureRequest & { readonly generator: GeneratorOptions };
  /** What its prompt was drawn from. */
  readonly template?: string;
}

/** Pictures to be made, and how they stand on a sheet, if they do. */
export interface Plan {
  readonly pictures: readonly PlannedPicture[];
  readonly grid?: Grid;
  /** What the grid begins with: the template, where there is one. */
  readonly template?: string;
}

/**
 * The pictures of a request: a template draws each one's prompt by the picture's own seed.
 *
 * @throws {RequestError} When a template or a value of a grid is wrong, or a sheet would be too large.
 */
export async function planPictures(
  request: PictureRequest,
  { count, isDrawn, combinations, grid, wildcards, hasSheet, checkSize }: PlanOptions,
): Promise<Plan> {
  const first = requestedGenerator(request.generator);
  const { seed } = request.variation ?? {};
  const other = requestedGenerator(seed === undefined ? {} : { seed });
  const template = request.raw || isDrawn
    ? undefined
    : await PromptTemplate.of(request.prompt, wildcards);
  if (grid !== undefined) {
    if (checkSize !== undefined) checkSizes(grid, request, checkSize);
    return planGrid(grid, request, template);
  }
  const pictures = template !== undefined && combinations !== undefined
    ? template.combinations(first.seed, combinations.limit).map((prompt) => ({
      request: { ...request, prompt, generator: first },
      template: template.text,
    }))
    : Array.from({ length: count }, (_, index) => {
      // Of a variation, the seed stays and the other one goes on, as AUTOMATIC1111 counts.
      const { variation } = request;
      const isVaried = (variation?.strength ?? 0) > 0;
      const generator = isVaried ? first : laterSeed(first, index);
      return {
        request: {
          ...request,
          ...(isVaried ? { variation: { ...variation, ...laterSeed(other, index) } } : {}),
          prompt: template?.draw(generator.seed, index) ?? request.prompt,
          generator,
        },
        ...(template === undefined ? {} : { template: template.text }),
      };
    });
  if (!hasSheet) return { pictures };
  if (pictures.length > MOST_CELLS) {
    throw new RequestError({
      en: `--sheet holds at most ${MOST_CELLS} pictures, and there would be ${pictures.length}.`,
      zh: `--sheet 最多容纳 ${MOST_CELLS} 张图片，而这里有 ${pictures.length} 张。`,
    });
  }
  if (combinations !== undefined && template !== undefined) {
    return { pictures, grid: promptGrid(pictures.map(({ request }) => request.prompt)) };
  }
  return {
    pictures,
    grid: seedGrid(pictures.map(({ request }) => request.generator.seed)),
    ...(template === undefined ? {} : { template: template.text }),
  };
}

function planGrid(
  grid: Grid,
  request: PictureRequest,
  template: PromptTemplate | undefined,
): Plan {
  const cells = gridCells(grid, request);
  // Where pictures share a seed, they share what is drawn.
  const seeds = [...new Set(cells.map(({ request }) => String(request.generator.seed)))];
  const pictureOf = ({ request }: GridCell): PlannedPicture => {
    if (template === undefined) return { request };
    const own = template.with(request.prompt);
    const { seed } = request.generator;
    const prompt = own.draw(seed, seeds.indexOf(String(seed)));
    return { request: { ...request, prompt }, template: own.text };
  };
  return {
    pictures: cells.map(pictureOf),
    grid,
    ...(template === undefined ? {} : { template: template.text }),
  };
}

/** Refuses sizes before the first picture is made. */
function checkSizes(
  { axes }: Grid,
  request: PictureRequest,
  checkSize: NonNullable<PlanOptions["checkSize"]>,
): void {
  for (const { word, values } of axes) {
    for (const { apply } of ["size", "width", "height"].includes(word) ? values : []) {
      inAxis(word, () => checkSize(apply(request)));
    }
  }
}
