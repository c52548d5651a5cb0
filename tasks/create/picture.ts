/** Makes and saves the pictures of one request, and shows how far they are. */
import { formatOfName } from "../../src/image/mod.ts";
import { BATCH_KEYWORD, batchIdOf } from "../../src/studio/batch.ts";
import { previews } from "../../src/studio/preview.ts";
import { savePicture } from "../../src/studio/outputs.ts";
import { type Plan, type PlanOptions, planPictures } from "../../src/studio/plan.ts";
import type { PictureRequest } from "../../src/studio/request.ts";
import { type SavedSheet, Sheet } from "../../src/studio/sheet.ts";
import type { SourcePicture } from "../../src/studio/source_picture.ts";
import { type MadePicture, pictureFile, type Studio } from "../../src/studio/studio.ts";
import { RequestError } from "../../src/errors.ts";
import { both, text } from "./texts.ts";
import { formatBytes } from "../../src/format_bytes.ts";
import { tell } from "../cli/print.ts";
import { ProgressLine } from "../cli/progress.ts";
import { language } from "../cli/language.ts";
import { examinePrompt } from "../cli/prompt_check.ts";
import { TerminalPicture } from "../cli/show.ts";
import { duration } from "../cli/task.ts";

/** What to show in the terminal. */
export interface ShowOptions {
  readonly show?: boolean | undefined;
  readonly showSteps?: boolean | undefined;
}

/** A picture that was saved. */
export interface SavedPicture {
  readonly path: string;
  /** What was drawn from a template; absent where there is none. */
  readonly prompt?: string;
  /** In decimal, because JSON's numbers do not hold all seeds. */
  readonly seed: string;
  readonly width: number;
  readonly height: number;
  readonly steps: number;
  readonly guidance: number;
  /** Absent where there are none. */
  readonly adapters?: readonly { readonly name: string; readonly weight: number }[];
  readonly evaluations: MadePicture["evaluations"];
  readonly milliseconds: number;
}

/** Where pictures go, and what is to be seen of them. */
export interface MakeRequestOptions extends ShowOptions, PlanOptions {
  readonly folder: string;
  /** The folder of outputs, which the other lies in. */
  readonly root: string;
  readonly name: string;
  /** The names of the presets in the request. */
  readonly preset?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The request of a batch that the picture answers. */
  readonly batchId?: string;
  /** Whether how far a picture is goes unsaid, as where others are drawn beside it. */
  readonly isSilent?: boolean;
  readonly onSaved?: (picture: SavedPicture) => void;
  readonly onSheet?: (sheet: SavedSheet) => void;
}

/**
 * Makes the pictures of a request and saves each as soon as it is there.
 *
 * @throws The signal's reason, when it was aborted; what was saved before stays.
 */
export async function makePictures(
  studio: Studio,
  request: PictureRequest,
  options: MakeRequestOptions,
): Promise<SavedPicture[]> {
  const { folder, root, name, signal, batchId, onSaved } = options;
  const texts = batchId === undefined ? {} : { [BATCH_KEYWORD]: batchId };
  const saved: SavedPicture[] = [];
  const { pipe } = studio;
  const plan = await planPictures(request, {
    ...options,
    checkSize: ({ width = pipe.defaultSize, height = pipe.defaultSize }) =>
      void pipe.prepareLatents({ width, height }),
  });
  const { pictures } = plan;
  const sheet = Sheet.of(plan, pipe.defaultSize);
  if (sheet !== undefined) checkPrompts(request, plan, studio);
  for (const [index, { request: own, template }] of pictures.entries()) {
    const { prompt } = own;
    const label = pictures.length === 1 ? "" : text.picture(index + 1, pictures.length);
    if (template !== undefined && sheet === undefined) checkDrawn(prompt, studio);
    const progress = new ProgressLine();
    const screen = options.show || options.showSteps ? new TerminalPicture() : undefined;
    const preview = options.showSteps ? previews(studio.pipe) : undefined;
    try {
      const made = await studio.make(
        own,
        {
          ...(signal === undefined ? {} : { signal }),
          ...(template === undefined ? {} : { template }),
          ...(options.preset === undefined ? {} : { preset: options.preset }),
          ...(index > 0 ? {} : {
            onSource: ({ notes }: SourcePicture) => tell(notes.map((note) => note[language])),
          }),
          onStep: async (step) => {
            if (preview !== undefined) screen!.show(await preview(step));
            if (options.isSilent) return;
            progress.show(
              step.index + 1,
              step.total,
              ({ done, total, bar, left }) =>
                label + text.progress(bar, `${done}/${total}`, left, memoryInUse()),
            );
          },
        },
      );
      progress.clear();
      screen?.show(made.image);
      const { recipe, evaluations, milliseconds } = made;
      const picture: SavedPicture = {
        path: await savePicture(folder, name, await pictureFile(made, texts, formatOfName(name)), {
          id: batchId,
          idOf: batchIdOf,
          root,
        }),
        ...(prompt === request.prompt ? {} : { prompt }),
        seed: String(recipe.generator.seed),
        width: made.image.width,
        height: made.image.height,
        steps: recipe.numInferenceSteps,
        guidance: recipe.guidanceScale,
        ...(recipe.adapters === undefined ? {} : {
          adapters: recipe.adapters.map(({ name, weight }) => ({ name, weight })),
        }),
        evaluations,
        milliseconds: Math.round(milliseconds),
      };
      sheet?.add(index, made.image, recipe);
      saved.push(picture);
      onSaved?.(picture);
    } finally {
      progress.clear();
    }
  }
  if (sheet !== undefined) {
    options.onSheet?.(await sheet.save(folder, name, root));
    if (options.show || options.showSteps) new TerminalPicture().show(sheet.image);
  }
  return saved;
}

/** Looks at every prompt of a sheet before its first picture is made. */
function checkPrompts(request: PictureRequest, { pictures }: Plan, studio: Studio): void {
  const prompts = new Set(pictures.map(({ request: { prompt } }) => prompt));
  for (const prompt of prompts) {
    if (!request.raw && prompt !== request.prompt) checkDrawn(prompt, studio);
  }
}

/** @throws {RequestError} When what a template made is no prompt. */
function checkDrawn(prompt: string, studio: Studio): void {
  if (prompt.trim() === "") throw new RequestError(both((text) => text.emptyPrompt));
  const { report, message, faultyLine } = examinePrompt(prompt, studio.pipe.promptEncoders);
  if (faultyLine !== undefined) throw new RequestError(message());
  tell(report, studio.beyondTraining({ prompt })[language]);
}

function memoryInUse(): string {
  return formatBytes(Deno.memoryUsage().rss);
}

/** What a person is told of a picture that was saved. */
export function savedLine(
  { path, prompt, seed, milliseconds, evaluations }: SavedPicture,
): string {
  const { foretold, total } = evaluations;
  return text.done(path) + text.made(seed, duration(milliseconds), foretold, total) +
    (prompt === undefined ? "" : text.drawn(prompt));
}
