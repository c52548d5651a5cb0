/**
 * Results as tables for people.
 *
 * @module
 */
import type { ChangeResult, FromPictures } from "./from_pictures.ts";
import { ATTRIBUTES } from "./attributes.ts";
import type { Evaluation } from "./evaluate.ts";
import { TWO_SIDED } from "./consistency.ts";
import type { Score } from "./metrics.ts";
import { SORTINGS, type ToXmlScores } from "./to_xml.ts";
import { REFERENCE_STEPS, type StepsResult } from "./sweep.ts";

/** A share as a percentage; a dash where there is nothing that it is a share of. */
function percent(share: number): string {
  return Number.isNaN(share) ? "–" : `${(100 * share).toFixed(1)} %`;
}

/** Markdown of an evaluation. */
export function evaluationTable(
  { xml, tags, checker, unsaid }: Evaluation,
  heading: string,
  made: string,
): string {
  const row = (name: string, of: Score) =>
    `| ${name} | ${percent(of.misbinding)} | ${percent(of.attributeAccuracy)} | ${of.characters} |`;
  const attributeRow = (name: typeof ATTRIBUTES[number]) => {
    const cells = [xml, tags].flatMap(({ perAttribute: { [name]: found } }) => [
      percent(found.misbinding),
      percent(found.accuracy),
    ]);
    const { wrong, unknown } = checker.recorded.perAttribute[name];
    const error = percent((wrong + unknown) / checker.recorded.characters);
    return `| ${name} | ${cells.join(" | ")} | ${error} |`;
  };
  return [
    `# ${heading}`,
    "",
    made,
    "",
    "| prompts | characters that got an attribute of the other | attributes right | characters |",
    "| --- | --- | --- | --- |",
    row("XML", xml),
    row("flat tags", tags),
    row("flat tags, one character after the other", tags.ordered),
    row("flat tags, in no order", tags.unordered),
    row("ground truth: what the checker gets wrong", asScore(checker.recorded)),
    "",
    "| attribute | XML: the other's | XML: right | tags: the other's | tags: right | checker's error |",
    "| --- | --- | --- | --- | --- | --- |",
    ...ATTRIBUTES.map(attributeRow),
    "",
    "The other's: of the characters whose own is not the same. What is missing or could not be made " +
    "out is not right, and not the other's. Checker's error: on 500 scenes as they should look.",
    "",
    "| nothing said of looks | one colour on both sides | not made out, or shut | drawn: one colour |",
    "| --- | --- | --- | --- |",
    ...TWO_SIDED.map((name) => {
      const { consistent, unknown } = unsaid.made[name];
      const cells = [consistent, unknown, unsaid.groundTruth[name].consistent].map(percent);
      return `| ${name} | ${cells.join(" | ")} |`;
    }),
    "",
  ].join("\n");
}

function asScore(
  { misbinding, error, characters }: Evaluation["checker"]["recorded"],
): Score {
  return { misbinding, attributeAccuracy: 1 - error, characters } as Score;
}

/** Markdown of steps against quality. */
export function stepsTable(results: readonly StepsResult[], heading: string, made: string): string {
  return [
    `# ${heading}`,
    "",
    made,
    "",
    `| steps | PSNR to ${REFERENCE_STEPS} steps | characters that got an attribute of the other | attributes right |`,
    "| --- | --- | --- | --- |",
    ...results.map(({ steps, psnr, misbinding, attributeAccuracy }) =>
      `| ${steps} | ${psnr === null ? "–" : `${psnr.toFixed(1)} dB`} | ${percent(misbinding)} | ${
        percent(attributeAccuracy)
      } |`
    ),
    "",
  ].join("\n");
}

/** Markdown of what starting from pictures gives. */
export function fromPicturesTable(
  { pictures, pairs, strengths, inpainting }: FromPictures,
  heading: string,
  made: string,
): string {
  const row = (label: string, { psnr, changed, kept }: ChangeResult) =>
    `| ${label} | ${psnr.toFixed(1)} dB | ${percent(changed)} | ${percent(kept)} |`;
  return [
    `# ${heading}`,
    "",
    made,
    "",
    "| encoder | decoder | PSNR of what comes back |",
    "| --- | --- | --- |",
    ...pairs.map(({ encoder, decoder, psnr }) =>
      `| ${encoder} | ${decoder} | ${psnr.toFixed(1)} dB |`
    ),
    "",
    "| drawn from a picture | PSNR to it | other hair, as asked | what else is as it was |",
    "| --- | --- | --- | --- |",
    ...strengths.map((result) => row(`strength ${result.strength}`, result)),
    row("the left half drawn anew", inpainting),
    "",
    `${pictures} drawn pictures of two characters; the prompt asks for other hair on the left. Outside ` +
    `of the mask, ${inpainting.outside} pixels changed.`,
    "",
  ].join("\n");
}

/** Markdown of what sorting flat tags into XML does. */
export function toXmlTable(
  { text, drawn, drawnScenes }: ToXmlScores,
  heading: string,
  made: string,
): string {
  const orders = [["one character after the other", "ordered"], [
    "in no order",
    "unordered",
  ]] as const;
  const ways = {
    tags: "flat tags",
    sorted: "sorted",
    answered: "sorted, questions answered",
  } as const;
  const rows = orders.flatMap(([order, key]) =>
    SORTINGS.map((sorting) => {
      const said = sorting === "tags" ? undefined : text[sorting][key];
      const share = said === undefined
        ? ["", ""]
        : [percent(said.right / said.attributes), percent(said.wholeScenes / said.scenes)];
      const { misbinding, attributeAccuracy, characters } = drawn[sorting][key];
      const cells = [...share, percent(misbinding), percent(attributeAccuracy), characters];
      return `| ${ways[sorting]}, ${order} | ${cells.join(" | ")} |`;
    })
  );
  return [
    `# ${heading}`,
    "",
    made,
    "",
    "| prompts | attributes with the right character in the text | scenes with all of them | drawn: " +
    "characters that got an attribute of the other | drawn: attributes right | drawn: characters |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows,
    "",
    `The text of ${
      text.sorted.ordered.scenes + text.sorted.unordered.scenes
    } scenes; pictures of ` +
    `${drawnScenes}. None of the lists says who stands where, so either side counts. Answers say of ` +
    "each attribute that one of the two has whose it is; what both have, they leave open.",
    "",
  ].join("\n");
}
