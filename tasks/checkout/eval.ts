/** `deno task eval`: does XML bind attributes to the right character? */
import { coarsen, tile } from "../../bench/eval/contact_sheet.ts";
import { type EvalScene, readEvalSet } from "../../bench/eval/eval_set.ts";
import { evaluate, type Progress, SHOWN_PICTURES } from "../../bench/eval/evaluate.ts";
import { FolderPictures, ModelPictures, type PictureSource } from "../../bench/eval/pictures.ts";
import { evaluationTable, stepsTable } from "../../bench/eval/report.ts";
import { REFERENCE_STEPS, SWEEP_SCENES, SWEEP_STEPS, sweepSteps } from "../../bench/eval/sweep.ts";
import { writeFileAtomically } from "../../src/files.ts";
import { encodePng, RequestError, type RgbImage } from "../../src/mod.ts";
import { DEMO_GUIDANCE_SCALE } from "../../src/studio/studio.ts";
import { DEMO_MODEL, STEPS } from "../../src/studio/health_check.ts";
import { duration, run, task, wholeNumber } from "../cli/task.ts";

const RESULTS = "bench/results";
const SHEET_COLUMNS = 8;
const SHEET_COLOR_STEP = 4;
/** How many lines tell of the progress where there is no terminal that shows it in one. */
const PROGRESS_LINES = 50;

interface Options {
  readonly json?: true;
  readonly limit?: number;
  readonly steps: number;
  readonly guidance: number;
  readonly model: string;
  readonly pictures?: string;
  readonly measure?: string;
  readonly sweep?: true;
  readonly record?: true;
}

const command = task(
  "eval",
  "Does XML bind attributes to the right character? Draws 500 held-out scenes of two characters from " +
    "XML and from flat tags, measures what each character looks like, and reports how often an " +
    "attribute went to the other one.",
)
  .option("--limit <count>", "only the first so many scenes; records nothing", wholeNumber)
  .option("--steps <count>", "steps of the sampler", wholeNumber, STEPS)
  .option("--guidance <scale>", "guidance scale", Number, DEMO_GUIDANCE_SCALE)
  .option("--model <folder>", "the model to evaluate", DEMO_MODEL)
  .option(
    "--pictures <folder>",
    `keep pictures there (inside ${RESULTS}), and do not make again what is there`,
  )
  .option("--measure <folder>", "make nothing: measure <id>-xml.png and <id>-tags.png there")
  .option(
    "--sweep",
    `steps against quality instead: ${
      SWEEP_STEPS.join(", ")
    } against ${REFERENCE_STEPS}, ${SWEEP_SCENES} scenes`,
  )
  .option("--record", `record in ${RESULTS} even with --limit`)
  .addHelpText(
    "after",
    "\nExamples:\n  deno task eval --limit 10 --json\n  deno task eval --pictures bench/results/pictures",
  );

await run<Options>(command, async (options) => {
  if (options.limit === 0) throw new RequestError("--limit is 0; expected at least 1.");
  if (!(options.guidance >= 0)) throw new RequestError("--guidance must be a number from 0 on.");
  if (options.steps < 1) throw new RequestError("--steps is 0; expected at least 1.");
  if (options.measure !== undefined && (options.sweep || options.pictures !== undefined)) {
    throw new RequestError("--measure makes no pictures: leave out --sweep and --pictures.");
  }
  const scenes = (await readEvalSet()).slice(0, options.limit ?? (options.sweep && SWEEP_SCENES));
  return options.sweep ? await sweep(options, scenes) : await evaluateAll(options, scenes);
});

async function evaluateAll(options: Options, scenes: readonly EvalScene[]): Promise<unknown> {
  const { measure, steps, guidance } = options;
  await using model = measure === undefined ? await load(options) : undefined;
  const source: PictureSource = model?.with({ steps, guidance }) ?? new FolderPictures(measure!);
  const shown: RgbImage[] = [];
  const evaluation = await evaluate(scenes, source, { shown, onProgress: progress() });
  const made = {
    date: today(),
    prompts: scenes.length,
    model: model === undefined ? null : { folder: options.model, weights: model.weights },
    sampling: model === undefined ? null : { steps, guidance },
  };
  const table = evaluationTable(
    evaluation,
    `Does XML bind attributes to the right character? ${made.date}`,
    `${scenes.length} scenes, ${
      model === undefined
        ? `pictures in ${measure}`
        : `${options.model}, ${steps} steps, guidance ${guidance}`
    }. \`deno task eval\``,
  );
  const result = { ...made, ...evaluation };
  if (isRecorded(options)) {
    await record("eval", result, table);
    const sheet = tile(shown.slice(0, SHOWN_PICTURES), SHEET_COLUMNS);
    await writeFileAtomically(`${RESULTS}/eval.png`, encodePng(coarsen(sheet, SHEET_COLOR_STEP)));
  }
  console.error(table);
  return result;
}

async function sweep(options: Options, scenes: readonly EvalScene[]): Promise<unknown> {
  const { guidance } = options;
  await using model = await load(options);
  const results = await sweepSteps(scenes, (steps) => model.with({ steps, guidance }), progress());
  const date = today();
  const table = stepsTable(
    results,
    `Steps against quality, ${date}`,
    `XML prompts of ${scenes.length} scenes, ${options.model}, guidance ${guidance}; the same noise ` +
      "for all numbers of steps. `deno task eval --sweep`",
  );
  const result = {
    date,
    prompts: scenes.length,
    model: { folder: options.model, weights: model.weights },
    guidance,
    reference: REFERENCE_STEPS,
    steps: results,
  };
  if (isRecorded(options)) await record("eval_steps", result, table);
  console.error(table);
  return result;
}

function load({ model, pictures }: Options): Promise<ModelPictures> {
  return ModelPictures.load(model, pictures);
}

function isRecorded({ limit, record }: Options): boolean {
  return limit === undefined || record === true;
}

async function record(name: string, result: unknown, table: string): Promise<void> {
  const encode = (text: string) => new TextEncoder().encode(text);
  const json = JSON.stringify(result, null, 2) + "\n";
  await writeFileAtomically(`${RESULTS}/${name}.json`, encode(json));
  await writeFileAtomically(`${RESULTS}/${name}.md`, encode(table));
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

/** Reports how far it is, and how long the rest will take. */
function progress(): (progress: Progress) => void {
  const start = performance.now();
  const terminal = Deno.stderr.isTerminal();
  return ({ done, total }) => {
    const step = terminal ? 1 : Math.ceil(total / PROGRESS_LINES);
    if (done !== 1 && done % step !== 0 && done !== total) return;
    const rest = (performance.now() - start) / done * (total - done);
    const line = `scene ${done}/${total}, about ${duration(rest)} to go`;
    const text = terminal ? `\r\x1b[K  ${line}${done === total ? "\n" : ""}` : `  ${line}\n`;
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  };
}
