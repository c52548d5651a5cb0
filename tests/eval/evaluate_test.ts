/** Evaluations of pictures that are known: those of bench/eval/ground_truth.png. */
import assert from "node:assert/strict";
import { readEvalSet, readGroundTruth } from "../../bench/eval/eval_set.ts";
import { evaluate } from "../../bench/eval/evaluate.ts";
import { ModelPictures, type PictureSource } from "../../bench/eval/pictures.ts";
import { evaluationTable, stepsTable } from "../../bench/eval/report.ts";
import { REFERENCE_STEPS, SWEEP_STEPS, sweepSteps } from "../../bench/eval/sweep.ts";
import { decodePng, encodePng, type RgbImage } from "../../src/image/mod.ts";

const all = await readEvalSet();
const drawn = await readGroundTruth();
const scenes = all.slice(0, 8);

/** A model that draws every scene as it should look. */
const perfect: PictureSource = {
  picture: ({ id }) => Promise.resolve(drawn[Number(id)]!),
};

Deno.test("a model that draws what it is told scores well with both kinds of prompts", async () => {
  const seen: number[] = [];
  const shown: RgbImage[] = [];
  const { xml, tags, checkerError } = await evaluate(scenes, perfect, {
    onProgress: ({ done, total }) => seen.push(done / total),
    shown,
  });
  assert.equal(xml.characters, 16);
  assert.equal(xml.misbinding, 0);
  assert(xml.attributeAccuracy >= 0.98);
  assert.deepEqual(tags.perAttribute, xml.perAttribute);
  assert.equal(tags.ordered.characters + tags.unordered.characters, tags.characters);
  assert(checkerError > 0 && checkerError < 0.02);
  assert.equal(seen.length, scenes.length);
  assert.equal(seen.at(-1), 1);
  assert.deepEqual(shown.map(({ width }) => width), scenes.map(() => 160));
});

Deno.test("a model that ignores whose an attribute is shows in that kind of prompts alone", async () => {
  const forgetful: PictureSource = {
    picture: (scene, kind) =>
      perfect.picture(kind === "xml" ? scene : all[Number(scene.id) + 8]!, kind),
  };
  const result = await evaluate(scenes, forgetful);
  assert(result.xml.attributeAccuracy >= 0.98);
  assert(result.tags.attributeAccuracy < 0.8);
  const table = evaluationTable(result, "Heading", "Made so.");
  assert.match(table, /^# Heading\n\nMade so\.\n\n\| prompts \|/);
  assert.match(table, /\| XML \| 0\.0 % \| (100\.0|9\d\.\d) % \| 16 \|/);
});

Deno.test("steps are compared with the reference from the same noise", async () => {
  // Each number of steps is so many grey levels away from the reference: PSNR is 20·log10(255 / d).
  const OFFSETS = new Map<number, number>([
    [8, 24],
    [10, 16],
    [20, 8],
    [30, 4],
    [40, 2],
    [REFERENCE_STEPS, 0],
  ]);
  const withSteps = (steps: number): PictureSource => ({
    picture: async (scene, kind) => {
      const image = await perfect.picture(scene, kind);
      const offset = OFFSETS.get(steps)!;
      // Away from both ends, so that nothing is cut off.
      return { ...image, data: image.data.map((value) => 20 + value * 0.8 + offset) };
    },
  });
  const results = await sweepSteps(scenes, withSteps);
  assert.deepEqual(results.map(({ steps }) => steps), [...SWEEP_STEPS, REFERENCE_STEPS]);
  for (const { steps, psnr } of results) {
    const offset = OFFSETS.get(steps)!;
    if (offset === 0) assert.equal(psnr, null);
    else assert(Math.abs(psnr! - 20 * Math.log10(255 / offset)) < 0.3, `${steps}: ${psnr}`);
  }
  assert.match(stepsTable(results, "Steps", "Made so."), /\| 10 \| 24\.\d dB \|/);
});

Deno.test("pictures that are kept are not made again, others are", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [scene] = scenes as [typeof scenes[number]];
    const path = `${folder}/${scene.id}-xml-1.png`;
    await using model = await ModelPictures.load("models/demo", {}, folder);
    const made = await model.with({ steps: 1, guidance: 1 }).picture(scene, "xml");

    // The kept picture is marked, so that it can be told from one that is made anew.
    const { text } = decodePng(await Deno.readFile(path));
    const marked = { ...made, data: made.data.map((value) => 255 - value) };
    await Deno.writeFile(path, encodePng(marked, { text }));
    const kept = await model.with({ steps: 1, guidance: 1 }).picture(scene, "xml");
    assert.deepEqual(kept.data, marked.data);
    const other = await model.with({ steps: 1, guidance: 2 }).picture(scene, "xml");
    assert.notDeepEqual(other.data, marked.data);
    const again = await model.with({ steps: 1, guidance: 1 }).picture(scene, "xml");
    assert.deepEqual(again.data, made.data);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
