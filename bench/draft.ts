/** How much a draft differs from the picture that it stands for. */
import { psnr } from "../src/image/mod.ts";
import { NewBieImagePipeline } from "../src/pipeline/pipeline.ts";
import { DRAFT, SETTINGS } from "../src/settings/mod.ts";
import { DEMO_MODEL } from "../src/studio/health_check.ts";
import { readEvalSet } from "./eval/eval_set.ts";

/** Held-out scenes of two characters, from the beginning of bench/eval/prompts.jsonl. */
const SCENES = 24;

/** A draft against all steps, from the same noise. */
export interface DraftResult {
  readonly scenes: number;
  /** Where they were drawn. */
  readonly drawnOn: Pick<NewBieImagePipeline, "device" | "dtype">;
  /** The draft's, and those of a picture by default. */
  readonly steps: readonly [draft: number, usual: number];
  /** Over the scenes, dB. */
  readonly psnr: { readonly mean: number; readonly least: number };
}

/** Draws scenes with the demo model, as drafts and by default. */
export async function benchDraft(log: (line: string) => void): Promise<DraftResult> {
  const scenes = (await readEvalSet()).slice(0, SCENES);
  await using pipe = await NewBieImagePipeline.fromPretrained(DEMO_MODEL, { log });
  const similarities: number[] = [];
  for (const [index, { prompts, seed }] of scenes.entries()) {
    const request = { prompt: prompts.xml, generator: { seed } };
    const { images: [usual] } = await pipe.generate(request);
    const { images: [draft] } = await pipe.generate({ ...request, ...DRAFT.settings });
    const similarity = psnr(draft!, usual!);
    similarities.push(similarity);
    log(`${index + 1}/${scenes.length} ${similarity.toFixed(1)} dB`);
  }
  const sum = similarities.reduce((sum, value) => sum + value, 0);
  return {
    scenes: scenes.length,
    drawnOn: { device: pipe.device, dtype: pipe.dtype },
    steps: [DRAFT.settings.numInferenceSteps, SETTINGS.numInferenceSteps.default],
    psnr: { mean: sum / scenes.length, least: Math.min(...similarities) },
  };
}
