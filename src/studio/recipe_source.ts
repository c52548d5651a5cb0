import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { RequestError } from "../errors.ts";
import { exists, lastPart, leadsOut } from "../files.ts";
import { hashOutcome } from "../integrity/mod.ts";
import type { Recipe } from "../recipe/mod.ts";
import { readBytes } from "./read_text.ts";
import type { AskedSource } from "./source_picture.ts";

/** The request's source that makes a recipe's picture again. */
export interface RecipeSource {
  readonly source: AskedSource;
  /** Which of the pictures are others than those that the recipe names. */
  readonly differences: readonly ("image" | "mask")[];
}

/**
 * Finds the pictures that a picture was drawn from: under the name that its recipe has, or beside the
 * picture itself. A recipe may come from anyone: only what has the checksum that it states is taken, and no
 * name leads out of this folder and that of the picture.
 *
 * @param from The path of the picture with the recipe.
 * @param given Files that a person names instead.
 * @throws {RequestError} When one is gone, or is another picture, and none was named instead.
 */
export async function recipeSource(
  { source = {}, pictures }: Pick<Recipe, "source" | "pictures">,
  from: string,
  given: AskedSource = {},
): Promise<RecipeSource> {
  const differences: ("image" | "mask")[] = [];
  const found: { image?: string; mask?: string } = {};
  for (const kind of ["image", "mask"] as const) {
    const hash = pictures?.[kind];
    const own = given[kind];
    if (own !== undefined) {
      if (hash !== undefined && await hashOf(own) !== hash) differences.push(kind);
      found[kind] = own;
    } else if (hash !== undefined || source[kind] !== undefined) {
      found[kind] = await find(kind, source[kind] ?? kind, hash, from);
    }
  }
  return { source: { ...source, ...given, ...found }, differences };
}

async function find(
  kind: "image" | "mask",
  name: string,
  hash: string | undefined,
  from: string,
): Promise<string> {
  if (hash === undefined) {
    throw new RequestError(
      `${from} was drawn from a picture (${kind}), and its recipe does not say from which: it has no ` +
        `SHA-256 of it. Give the picture with --${kind} FILE.`,
      {
        zh: `${from} 是以一张图片（${kind}）为起点绘制的，但配方没有它的 SHA-256，` +
          `无法确定是哪一张：请用 --${kind} 文件 给出。`,
      },
    );
  }
  const beside = join(dirname(from), lastPart(name) || kind);
  const places = leadsOut(name) ? [beside] : [...new Set([name, beside])];
  const there: string[] = [];
  for (const place of places) {
    if (!await exists(place)) continue;
    if ((await hashOutcome(place, {})).sha256 === hash) return place;
    there.push(place);
  }
  const [en, zh] = there.length === 0
    ? [`${name} is not there`, `${name} 不存在`]
    : [`${there.join(" and ")} is another picture now`, `${there.join("、")} 已是另一张图片`];
  throw new RequestError(
    `${from} was drawn from a picture (${kind}, SHA-256 ${
      hash.slice(0, SHOWN)
    }…), but ${en}: give ` +
      `it with --${kind} FILE.`,
    {
      zh:
        `${from} 是以一张图片（${kind}，SHA-256 ${hash.slice(0, SHOWN)}…）为起点绘制的，但${zh}：` +
        `请用 --${kind} 文件 给出。`,
    },
  );
}

/** Digits of a checksum that tell pictures apart. */
const SHOWN = 12;

async function hashOf(path: string): Promise<string> {
  return createHash("sha256").update(await readBytes(path)).digest("hex");
}
