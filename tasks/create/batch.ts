/** `deno task create --batch`: many pictures, resumable, shared out among machines. */
import { join } from "node:path";
import {
  type Batch,
  batchIdOf,
  type BatchItem,
  finishedItems,
  isInShard,
  type Shard,
} from "../../src/studio/batch.ts";
import { headed, type Message, RequestError } from "../../src/errors.ts";
import { DiskError, OUTPUTS, prepareFolder } from "../../src/studio/outputs.ts";
import type { Studio } from "../../src/studio/studio.ts";
import { isTemplate } from "../../src/templates/mod.ts";
import {
  makePictures,
  type MakeRequestOptions,
  type SavedPicture,
  type ShowOptions,
} from "./picture.ts";
import { both, text } from "./texts.ts";
import type { Painted } from "../cli/print.ts";
import { millisecondsLeft } from "../cli/progress.ts";
import { examinePrompt } from "../cli/prompt_check.ts";
import { duration, language, messageOf, TaskFailure } from "../cli/task.ts";

/** How to make a batch. */
export interface BatchOptions
  extends ShowOptions, Pick<MakeRequestOptions, "preset" | "wildcards"> {
  /** The folder inside the folder of outputs. */
  readonly folder: string;
  readonly shard: Shard | undefined;
  readonly say: (line: Message | Painted) => void;
}

/** What became of a request. */
interface Failure {
  readonly place: string;
  readonly message: string;
}

/**
 * Makes what is not there yet, and reports what failed at the end.
 *
 * @throws {TaskFailure} When any request failed; the others were made.
 */
export async function runBatch(studio: Studio, batch: Batch, options: BatchOptions) {
  const { shard, say } = options;
  const folder = join(OUTPUTS, options.folder);
  await prepareFolder(folder);
  const finished = await finishedItems(folder);
  const own = batch.items.filter((item) => shard === undefined || isInShard(item, shard));
  const todo = own.filter(({ id }) => !finished.has(id));
  let already = own.length - todo.length;
  say(text.batchStart(todo.length, already, batch.items.length - own.length));

  // A fault has no id to be shared out by: the first shard reports it.
  const faults = shard === undefined || shard.index === 0 ? batch.faults : [];
  const failures: Failure[] = faults.map(({ place, error }) => ({
    place,
    message: messageOf(error),
  }));
  for (const failure of failures) say(failedLines(failure));
  const pictures: (SavedPicture & { place: string })[] = [];
  const start = performance.now();
  for (const [index, item] of todo.entries()) {
    try {
      // Another process may work on the same batch.
      if (await batchIdOf(join(folder, item.name)) === item.id) {
        already++;
        continue;
      }
      const [picture] = await makeItem(studio, item, folder, options);
      pictures.push({ place: item.place, ...picture! });
      const done = index + 1;
      const rest = millisecondsLeft(performance.now() - start, done, todo.length - done);
      const took = duration(picture!.milliseconds);
      say(text.batchLine(done, todo.length, picture!.path, took, duration(rest)));
    } catch (error) {
      // Where the disk takes no more, nothing else will succeed.
      if (!(error instanceof Error) || error instanceof DiskError) throw error;
      const failure = { place: item.place, message: messageOf(error) };
      failures.push(failure);
      say(failedLines(failure));
    }
  }
  say(text.batchDone(pictures.length, already, folder));
  const result = { folder, pictures, already };
  if (failures.length === 0) return result;
  throw new TaskFailure(
    text.batchFailures(failures.length, own.length + faults.length),
    { ...result, failures },
  );
}

function failedLines({ place, message }: Failure): readonly string[] {
  return [headed(text.batchFailed(place), message.split("\n"))].flat();
}

async function makeItem(
  studio: Studio,
  { id, place, name, request }: BatchItem,
  folder: string,
  { show, showSteps, preset, wildcards, say }: BatchOptions,
): Promise<SavedPicture[]> {
  if (request.prompt.trim() === "") throw new RequestError(both((text) => text.emptyPrompt));
  const encoders = studio.pipe.promptEncoders;
  // Whoever catches the error says the place.
  // What a template makes is looked at when it is made.
  if (request.raw || !isTemplate(request.prompt)) {
    const { message, faultyLine } = examinePrompt(request.prompt, encoders);
    if (faultyLine !== undefined) throw new RequestError(message);
    const { report } = examinePrompt(request.prompt, encoders, place);
    if (report.lines.length > 0) say(report);
    const beyond = studio.beyondTraining(request)[language];
    if (beyond.length > 0) say(headed(text.batchFailed(place), beyond));
  }
  return await makePictures(studio, request, {
    folder,
    name,
    count: 1,
    batchId: id,
    preset,
    wildcards,
    show,
    showSteps,
  });
}
