/**
 * Measures the checker's error on all scenes, drawn by `training/eval_set.py --renders FOLDER`:
 *
 *     deno run --allow-read --allow-write=bench/eval bench/eval/validate_checker.ts FOLDER
 *
 * Records it in bench/eval/checker_validation.json.
 */
import { decodePng, type RgbImage } from "../../src/image/mod.ts";
import { writeFileAtomically } from "../../src/files.ts";
import { ATTRIBUTES } from "./attributes.ts";
import {
  CHECKER_VALIDATION,
  type CheckerErrors,
  checkerErrors,
  type CheckerValidation,
} from "./checker_validation.ts";
import { degrade } from "./degrade.ts";
import { readEvalSet } from "./eval_set.ts";

const [folder] = Deno.args;
if (folder === undefined) {
  console.error("Usage: validate_checker.ts FOLDER, with what training/eval_set.py --renders drew");
  Deno.exit(2);
}
const scenes = await readEvalSet();
const pictures: RgbImage[] = [];
for (const { id } of scenes) {
  pictures.push(decodePng(await Deno.readFile(`${folder}/${id}.png`)).image);
}
const start = performance.now();
const clean = checkerErrors(scenes, pictures);
const milliseconds = (performance.now() - start) / pictures.length;
const degraded = checkerErrors(
  scenes,
  pictures.map((picture, index) => degrade(picture, scenes[index]!.seed)),
);
const validation: CheckerValidation = { clean, degraded };
const json = JSON.stringify(validation, null, 2) + "\n";
await writeFileAtomically(CHECKER_VALIDATION, new TextEncoder().encode(json));

const percent = (part: number) => `${(100 * part).toFixed(2)} %`;
for (const [name, errors] of Object.entries<CheckerErrors>({ ...validation })) {
  console.log(`${name}: error ${percent(errors.error)}, misbinding ${percent(errors.misbinding)}`);
  for (const attribute of ATTRIBUTES) {
    const { wrong, unknown } = errors.perAttribute[attribute];
    console.log(`  ${attribute}: ${wrong} wrong, ${unknown} unknown of ${errors.characters}`);
  }
}
console.log(`${milliseconds.toFixed(0)} ms a picture`);
