/** What the options of `create` say, for each of its ways to draw. */
import type { Message } from "../../src/errors.ts";
import type { AskedSettings } from "../../src/settings/mod.ts";
import { type LoraRequest, parseLora, withoutNone } from "../../src/studio/lora_request.ts";
import { loadPreset, type Preset } from "../../src/studio/preset.ts";
import { Studio } from "../../src/studio/studio.ts";
import {
  type GpuOptions,
  type ModelOptions,
  type PartOptions,
  partOptions,
} from "../cli/model_options.ts";
import { type Painted, print, tell } from "../cli/print.ts";
import { readArgument, readPromptFile } from "../cli/prompt_input.ts";
import { language } from "../cli/task.ts";
import { tellOfFastKernels } from "./tell_of_fast_kernels.ts";

/** What a picture is called unless somebody says otherwise. */
export const PICTURE_NAME = "output.png";

/** The options of `create` besides the settings, which `settingsOf` reads. */
export interface CreateOptions
  extends ModelOptions, GpuOptions, PartOptions, Readonly<Record<string, unknown>> {
  readonly json?: true;
  readonly prompt?: string;
  readonly promptFile?: string;
  readonly negativePrompt?: string;
  readonly lora?: readonly string[];
  readonly output?: string;
  readonly count?: number;
  readonly model: string;
  readonly batch?: string;
  readonly shard?: string;
  readonly claim?: true;
  readonly outputRoot?: string;
  readonly from?: string;
  readonly strict?: true;
  readonly combinations?: true;
  readonly preset: readonly string[];
  readonly wildcards?: string;
  readonly grid?: string;
  readonly sheet?: true;
  readonly show?: true;
  readonly showSteps?: true;
}

/** Loads the model as the options have it. */
export async function openStudio(asked: CreateOptions): Promise<Studio> {
  const { model, device, gpus, dtype, offload, threads, strict = false } = asked;
  const options = { device, gpus, dtype, offload, threads, strict, language, log: tell };
  const studio = await Studio.open(model, { ...options, ...partOptions(asked) });
  await tellOfFastKernels(studio.pipe, tell);
  return studio;
}

/** The presets that are asked for, in their order. */
export async function presetsOf({ preset }: CreateOptions): Promise<readonly Preset[]> {
  return await Promise.all(preset.map((name) => loadPreset(name)));
}

/** The prompts, from wherever the options say. */
export async function textsOf(
  { prompt, promptFile, negativePrompt }: CreateOptions,
): Promise<Pick<AskedSettings, "prompt" | "negativePrompt">> {
  const positive = promptFile !== undefined
    ? await readPromptFile(promptFile)
    : prompt !== undefined
    ? await readArgument(prompt, "--prompt")
    : undefined;
  const negative = negativePrompt === undefined
    ? undefined
    : await readArgument(negativePrompt, "--negative-prompt");
  return {
    ...(positive === undefined ? {} : { prompt: positive.text }),
    ...(negative === undefined ? {} : { negativePrompt: negative.text }),
  };
}

/** The adapters that options name; undefined where none does. */
export function lorasOf({ lora }: CreateOptions): readonly LoraRequest[] | undefined {
  if (lora === undefined) return undefined;
  return withoutNone(lora.map((text) => ({ ...parseLora(text), mayBePath: true })));
}

/** Beside `--json`, stdout is the JSON's. */
export function say({ json }: CreateOptions, line: Message | Painted): void {
  if (json) tell(line);
  else print(line);
}
