/**
 * The evaluation set: held-out scenes of two characters as prompts, and what is right.
 *
 * @module
 */
import * as z from "zod";
import { decodePng, type RgbImage } from "../../src/image/mod.ts";
import { type Looks, type Position, SHAPE_ATTRIBUTES } from "./attributes.ts";
import { PICTURE_SIZE } from "./checker.ts";
import { untile } from "./contact_sheet.ts";

/** Where training/eval_set.py writes. */
const FOLDER = "bench/eval";

/** The two ways to say the same. */
export const PROMPT_KINDS = ["xml", "tags"] as const;
export type PromptKind = typeof PROMPT_KINDS[number];
/** Those; and XML that says nothing of looks, but genders and places alone. */
export type PictureKind = PromptKind | "unsaid";

/** One scene. */
export interface EvalScene {
  readonly id: string;
  /** Of the noise that both its pictures begin with. */
  readonly seed: number;
  readonly prompts: { readonly [Kind in PictureKind]: string };
  /** Whether the flat tags go through the characters one after the other, or are in no order. */
  readonly ordered: boolean;
  /** What the characters look like. */
  readonly truth: { readonly [Place in Position]: Looks };
}

const looks = z.strictObject({
  hair: z.string(),
  eyes: z.string(),
  clothing: z.string(),
  skin: z.string(),
  worn: z.array(z.enum(SHAPE_ATTRIBUTES)),
}).transform(({ worn, ...colors }): Looks => ({
  ...colors,
  cat_ears: worn.includes("cat_ears"),
  glasses: worn.includes("glasses"),
  hat: worn.includes("hat"),
}));

const line = z.strictObject({
  id: z.string(),
  seed: z.int(),
  xml: z.string(),
  tags: z.string(),
  ordered: z.boolean(),
  left: looks,
  right: looks,
}).transform(({ id, seed, xml, tags, ordered, left, right }): EvalScene => ({
  id,
  seed,
  prompts: { xml, tags, unsaid: withoutLooks(xml) },
  ordered,
  truth: { left, right },
}));

/** What is left of XML without looks, as training/eval_set.py leaves it out. */
function withoutLooks(xml: string): string {
  const kept = xml.match(
    /<\/?(?:character_\d|general_tags)>\n*|<(?:gender|position|count)>.*\n/g,
  );
  return kept!.join("").replaceAll(/center_(left|right)/g, "$1");
}

/** Reads all scenes. */
export async function readEvalSet(): Promise<EvalScene[]> {
  const text = await Deno.readTextFile(`${FOLDER}/prompts.jsonl`);
  return text.trimEnd().split("\n").map((json) => line.parse(JSON.parse(json)));
}

/** Pictures of the first scenes as they should look. */
export async function readGroundTruth(): Promise<RgbImage[]> {
  const { image } = decodePng(await Deno.readFile(`${FOLDER}/ground_truth.png`));
  return untile(image, PICTURE_SIZE);
}
