/** `deno task eval`: does XML bind attributes to the right character? */
import { coarsen, tile } from "../../bench/eval/contact_sheet.ts";
import { PICTURE_SIZE } from "../../bench/eval/checker.ts";
import { type EvalScene, readEvalSet, readGroundTruth } from "../../bench/eval/eval_set.ts";
import { evaluate, type Progress, SHOWN_PICTURES } from "../../bench/eval/evaluate.ts";
import {
  type DrawnOn,
  FolderPictures,
  type Loading,
  ModelPictures,
  type PictureSource,
} from "../../bench/eval/pictures.ts";
import { measureFromPictures, PICTURES_DRAWN_FROM } from "../../bench/eval/from_pictures.ts";
import {
  evaluationTable,
  fromPicturesTable,
  stepsTable,
  toXmlTable,
} from "../../bench/eval/report.ts";
import { measureToXml } from "../../bench/eval/to_xml.ts";
import { REFERENCE_STEPS, SWEEP_SCENES, SWEEP_STEPS, sweepSteps } from "../../bench/eval/sweep.ts";
import { writeFileAtomically } from "../../src/files.ts";
import { RequestError } from "../../src/errors.ts";
import { encodePng, type RgbImage } from "../../src/image/mod.ts";
import { SETTINGS } from "../../src/settings/mod.ts";
import { DEMO_MODEL, STEPS } from "../../src/studio/health_check.ts";
import { ProgressLine } from "../cli/progress.ts";
import { addModelOptions, type ModelOptions } from "../cli/model_options.ts";
import { catalogue, run, task, wholeNumber } from "../cli/task.ts";
import { tell } from "../cli/print.ts";
import { record, RESULTS, today } from "./record.ts";

/** How many scenes are drawn, each in three ways, to see what sorting tags does. */
const TO_XML_SCENES = 100;
const SHEET_COLUMNS = 8;
const SHEET_COLOR_STEP = 4;
/** How many lines tell of the progress where there is no terminal that shows it in one. */
const PROGRESS_LINES = 50;

interface Options extends ModelOptions {
  readonly json?: true;
  readonly limit?: number;
  readonly steps: number;
  readonly guidance: number;
  readonly size: number;
  readonly model: string;
  readonly pictures?: string;
  readonly measure?: string;
  readonly sweep?: true;
  readonly toXml?: true;
  readonly fromPictures?: true;
  readonly record?: true;
}

const { text, both } = catalogue({
  en: {
    description:
      "Does XML bind attributes to the right character? Draws 500 held-out scenes of two characters " +
      "from XML and from flat tags, measures what each character looks like, and reports how often " +
      "an attribute went to the other one.",
    limit: "only the first so many scenes; records nothing",
    steps: "steps of the sampler",
    guidance: "guidance scale",
    size: `width and height, ${PICTURE_SIZE} or more; larger pictures are made smaller to be ` +
      "measured, and are recorded by themselves",
    tooSmall: `--size must be at least ${PICTURE_SIZE}: smaller pictures cannot be measured.`,
    model: "the model to evaluate",
    pictures: `keep pictures there (inside ${RESULTS}), and do not make again what is there`,
    measure: "make nothing: measure <id>-xml.png and <id>-tags.png there",
    sweep: `steps against quality instead: ${SWEEP_STEPS.join(", ")} against ${REFERENCE_STEPS}, ` +
      `${SWEEP_SCENES} scenes`,
    toXml:
      "what sorting the flat tags into XML (parse --to-xml) does instead: in the text of all " +
      `scenes, and in pictures of ${TO_XML_SCENES} or of --limit`,
    fromPictures:
      "what starting from pictures gives instead: what the autoencoders give back, image " +
      `to image and inpainting, on ${PICTURES_DRAWN_FROM} drawn pictures or on --limit`,
    aloneToo: "--from-pictures draws its own pictures: leave out --sweep, --to-xml and --measure.",
    record: `record in ${RESULTS} even with --limit`,
    examples: "Examples:",
    atLeastOne: (option: string) => `${option} is 0; expected at least 1.`,
    notNumber: "--guidance must be a number from 0 on.",
    toXmlAlone: "--to-xml draws its own pictures: leave out --sweep and --measure.",
    measureAlone: "--measure makes no pictures: leave out --sweep and --pictures.",
    progress: (done: number, total: number, rest: string) =>
      `scene ${done}/${total}, about ${rest} to go`,
  },
  zh: {
    description:
      "XML 能否把属性绑定到正确的角色？分别用 XML 和平铺的标签绘制 500 个训练中没有的双人场景，" +
      "测量每个角色的外观，并统计属性落到另一个角色身上的次数。",
    limit: "只测前若干个场景；不记录结果",
    steps: "采样器的步数",
    guidance: "引导强度",
    size: `宽和高，不小于 ${PICTURE_SIZE}；更大的图片缩小后再测量，单独记录`,
    tooSmall: `--size 至少为 ${PICTURE_SIZE}：更小的图片无法测量。`,
    model: "要评估的模型",
    pictures: `把图片保存在该文件夹（在 ${RESULTS} 内），已有的不再生成`,
    measure: "不生成图片：测量该文件夹中的 <id>-xml.png 和 <id>-tags.png",
    sweep: `改为比较步数与质量：${SWEEP_STEPS.join("、")} 步与 ${REFERENCE_STEPS} 步相比，` +
      `${SWEEP_SCENES} 个场景`,
    toXml: "改为测量把平铺的标签整理成 XML（parse --to-xml）的作用：测全部场景的文本，" +
      `以及 ${TO_XML_SCENES} 个或 --limit 个场景的图片`,
    fromPictures: "改为测量从图片开始作画：自编码器的还原、图生图和局部重绘，" +
      `用 ${PICTURES_DRAWN_FROM} 张或 --limit 张画好的图片`,
    aloneToo: "--from-pictures 会自己绘图：请去掉 --sweep、--to-xml 和 --measure。",
    record: `即使有 --limit 也记录到 ${RESULTS}`,
    examples: "示例：",
    atLeastOne: (option: string) => `${option} 是 0；至少应为 1。`,
    notNumber: "--guidance 应为不小于 0 的数。",
    toXmlAlone: "--to-xml 会自己绘图：请去掉 --sweep 和 --measure。",
    measureAlone: "--measure 不生成图片：请去掉 --sweep 和 --pictures。",
    progress: (done: number, total: number, rest: string) =>
      `场景 ${done}/${total}，大约还需 ${rest}`,
  },
});

const command = addModelOptions(task("eval", text.description))
  .option("--limit <count>", text.limit, wholeNumber)
  .option("--steps <count>", text.steps, wholeNumber, STEPS)
  .option("--guidance <scale>", text.guidance, Number, SETTINGS.guidanceScale.demo)
  .option("--size <pixels>", text.size, wholeNumber, PICTURE_SIZE)
  .option("--model <folder>", text.model, DEMO_MODEL)
  .option("--pictures <folder>", text.pictures)
  .option("--measure <folder>", text.measure)
  .option("--sweep", text.sweep)
  .option("--to-xml", text.toXml)
  .option("--from-pictures", text.fromPictures)
  .option("--record", text.record)
  .addHelpText(
    "after",
    `\n${text.examples}\n  deno task eval --limit 10 --json\n` +
      "  deno task eval --pictures bench/results/pictures",
  );

await run<Options>(command, async (options) => {
  if (options.limit === 0) throw new RequestError(both((text) => text.atLeastOne("--limit")));
  if (!(options.guidance >= 0)) throw new RequestError(both((text) => text.notNumber));
  if (options.size < PICTURE_SIZE) throw new RequestError(both((text) => text.tooSmall));
  if (options.steps < 1) throw new RequestError(both((text) => text.atLeastOne("--steps")));
  if (options.measure !== undefined && (options.sweep || options.pictures !== undefined)) {
    throw new RequestError(both((text) => text.measureAlone));
  }
  if (options.fromPictures) {
    if (options.measure !== undefined || options.sweep || options.toXml) {
      throw new RequestError(both((text) => text.aloneToo));
    }
    return await drawFromPictures(options);
  }
  if (options.toXml) {
    if (options.measure !== undefined || options.sweep) {
      throw new RequestError(both((text) => text.toXmlAlone));
    }
    return await sortTags(options, await readEvalSet());
  }
  const scenes = (await readEvalSet()).slice(0, options.limit ?? (options.sweep && SWEEP_SCENES));
  return options.sweep ? await sweep(options, scenes) : await evaluateAll(options, scenes);
});

async function evaluateAll(options: Options, scenes: readonly EvalScene[]): Promise<unknown> {
  const { measure, steps, guidance, size } = options;
  await using model = measure === undefined ? await load(options) : undefined;
  const source: PictureSource = model?.with({ steps, guidance, size }) ??
    new FolderPictures(measure!);
  const shown: RgbImage[] = [];
  const evaluation = await evaluate(scenes, source, { shown, onProgress: progress() });
  const made = {
    date: today(),
    prompts: scenes.length,
    model: model === undefined ? null : { folder: options.model, weights: model.weights },
    sampling: model === undefined ? null : { steps, guidance, size },
    ...(model === undefined ? {} : { drawnOn: model.drawnOn }),
  };
  const table = evaluationTable(
    evaluation,
    `Does XML bind attributes to the right character? ${made.date}`,
    `${scenes.length} scenes, ${
      model === undefined
        ? `pictures in ${measure}`
        : `${options.model}, ${size} × ${size}, ${steps} steps, guidance ${guidance}, ${
          place(model)
        }`
    }. \`deno task eval\``,
  );
  const result = { ...made, ...evaluation };
  if (isRecorded(options)) {
    const name = size === PICTURE_SIZE ? "eval" : `eval_${size}`;
    await record(name, result, table);
    const sheet = tile(shown.slice(0, SHOWN_PICTURES), SHEET_COLUMNS);
    await writeFileAtomically(
      `${RESULTS}/${name}.png`,
      encodePng(coarsen(sheet, SHEET_COLOR_STEP)),
    );
  }
  tell(table.split("\n"));
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
    `XML prompts of ${scenes.length} scenes, ${options.model}, guidance ${guidance}, ` +
      `${place(model)}; the same noise for all numbers of steps. \`deno task eval --sweep\``,
  );
  const result = {
    date,
    prompts: scenes.length,
    model: { folder: options.model, weights: model.weights },
    guidance,
    drawnOn: model.drawnOn,
    reference: REFERENCE_STEPS,
    steps: results,
  };
  if (isRecorded(options)) await record("eval_steps", result, table);
  tell(table.split("\n"));
  return result;
}

async function sortTags(options: Options, scenes: readonly EvalScene[]): Promise<unknown> {
  const { steps, guidance, limit = TO_XML_SCENES } = options;
  await using model = await load(options);
  const source = model.with({ steps, guidance });
  const scores = await measureToXml(scenes, limit, source, progress());
  const date = today();
  const table = toXmlTable(
    scores,
    `Flat tags, sorted into XML, ${date}`,
    `${options.model}, ${steps} steps, guidance ${guidance}, ${place(model)}. ` +
      "`deno task eval --to-xml`",
  );
  const result = {
    date,
    model: { folder: options.model, weights: model.weights },
    sampling: { steps, guidance },
    drawnOn: model.drawnOn,
    ...scores,
  };
  if (isRecorded(options)) await record("eval_to_xml", result, table);
  tell(table.split("\n"));
  return result;
}

async function drawFromPictures(options: Options): Promise<unknown> {
  const { steps, guidance, model, limit = PICTURES_DRAWN_FROM } = options;
  const sources = (await readGroundTruth()).slice(0, limit);
  const scenes = (await readEvalSet()).slice(0, sources.length);
  const onProgress = progress();
  const how = loading(options);
  const drawing = { model, how, steps, guidance, onProgress };
  const found = await measureFromPictures(scenes, sources, drawing);
  const date = today();
  const table = fromPicturesTable(
    found,
    `Starting from pictures, ${date}`,
    `${model}, ${steps} steps, guidance ${guidance}, ${place(found)}. ` +
      "`deno task eval --from-pictures`",
  );
  const result = { date, model, sampling: { steps, guidance }, ...found };
  if (isRecorded(options)) await record("eval_from_pictures", result, table);
  tell(table.split("\n"));
  return result;
}

/** Where pictures were drawn, for tables. */
function place({ drawnOn: { device, dtype } }: { readonly drawnOn: DrawnOn }): string {
  return `${device} in ${dtype}`;
}

function load(options: Options): Promise<ModelPictures> {
  return ModelPictures.load(options.model, loading(options), options.pictures);
}

function loading({ device, dtype, offload, threads }: Options): Loading {
  return { device, dtype, offload, threads };
}

function isRecorded({ limit, record }: Options): boolean {
  return limit === undefined || record === true;
}

/** Reports how far it is, and how long the rest will take: in lines where there is no terminal. */
function progress(): (progress: Progress) => void {
  const line = new ProgressLine();
  return ({ done, total }) => {
    const say = ({ left }: { left: string }) => `  ${text.progress(done, total, left)}`;
    line.show(done, total, say);
    if (done === total) line.clear();
    if (Deno.stderr.isTerminal()) return;
    const isTold = done === 1 || done % Math.ceil(total / PROGRESS_LINES) === 0 || done === total;
    if (isTold) tell(say(line.progress(done, total)));
  };
}
