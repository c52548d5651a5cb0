/** `deno task create --batch`: many pictures, resumable, shared out among machines. */
import { join } from "node:path";
import {
  type Batch,
  type BatchItem,
  finishedItems,
  isInShard,
  isItemFinished,
  type Shard,
} from "../../src/studio/batch.ts";
import { headed, type Message, RequestError } from "../../src/errors.ts";
import { ClaimFolder } from "../../src/studio/claim_folder.ts";
import { forgetRemoved, type Turn, turns } from "../../src/studio/claims.ts";
import { DiskError, prepareFolder } from "../../src/studio/outputs.ts";
import type { Studio } from "../../src/studio/studio.ts";
import { sideBySide } from "../../src/side_by_side.ts";
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
  /** The folder of outputs. */
  readonly root: string;
  readonly shard: Shard | undefined;
  /** Whether other workers draw from the same batch, each what no other draws. */
  readonly hasClaims?: boolean | undefined;
  readonly say: (line: Message | Painted) => void;
}

/** What became of a request. */
interface Failure {
  readonly place: string;
  readonly message: string;
}

/**
 * Makes what is not there yet, on several GPUs so many pictures side by side, and reports what failed
 * at the end.
 *
 * @throws {TaskFailure} When any request failed; the others were made.
 */
export async function runBatch(studio: Studio, batch: Batch, options: BatchOptions) {
  const { shard, root, say } = options;
  const folder = join(root, options.folder);
  await prepareFolder(folder, root);
  await using claims = options.hasClaims ? await ClaimFolder.open(folder, root) : undefined;
  const findFinished = () => finishedItems(folder);
  const finished = claims === undefined
    ? await findFinished()
    : await forgetRemoved(claims, findFinished);
  const own = batch.items.filter((item) => shard === undefined || isInShard(item, shard));
  const todo = own.filter(({ id }) => !finished.has(id));
  let already = own.length - todo.length;
  say(text.batchStart(todo.length, already, batch.items.length - own.length));

  // A fault has no id to be shared out by: the first shard reports it.
  const faults = shard === undefined || shard.index === 0 ? batch.faults : [];
  const failures: (Failure & { readonly item?: BatchItem })[] = faults.map(({ place, error }) => ({
    place,
    message: messageOf(error),
  }));
  for (const failure of failures) say(failedLines(failure));
  const pictures: (SavedPicture & { place: string })[] = [];
  const start = performance.now();
  let done = 0;
  const sharing = {
    isMade: (item: BatchItem) => isItemFinished(item, folder),
    onMade: () => {
      already++;
      done++;
    },
    onWaiting: (items: readonly BatchItem[]) => say(text.batchWaiting(items.length)),
    sleep: (milliseconds: number) =>
      new Promise<void>((resolve) => setTimeout(resolve, milliseconds)),
  };
  const shared = claims === undefined
    ? allTurns(todo, sharing)
    : turns(claims, fromAnywhere(todo), sharing);
  // Where one part of the model is loaded at a time, so is one picture drawn.
  const { offload, deviceIds } = studio.pipe;
  const lanes = offload === "none" ? Math.max(1, deviceIds.length) : 1;
  const isSilent = lanes > 1;
  await sideBySide(lanes, lanes, async () => {
    for await (const turn of shared) {
      await using _turn = turn;
      const { item } = turn;
      try {
        const [picture] = await makeItem(studio, item, folder, { ...options, isSilent });
        await turn.finish();
        done++;
        pictures.push({ place: item.place, ...picture! });
        const toDo = todo.length - done;
        const rest = toDo > 0
          ? duration(millisecondsLeft(performance.now() - start, done, toDo))
          : undefined;
        const took = duration(picture!.milliseconds);
        say(text.batchLine(done, todo.length, picture!.path, took, rest));
      } catch (error) {
        // Where the disk takes no more, nothing else will succeed.
        if (!(error instanceof Error) || error instanceof DiskError) throw error;
        done++;
        const failure = { place: item.place, message: messageOf(error), item };
        failures.push(failure);
        say(failedLines(failure));
      }
    }
  });
  // What failed here may have succeeded elsewhere meanwhile.
  for (const failure of claims === undefined ? [] : [...failures]) {
    if (failure.item === undefined || !await isItemFinished(failure.item, folder)) continue;
    failures.splice(failures.indexOf(failure), 1);
    already++;
  }
  say(text.batchDone(pictures.length, already, folder));
  const result = { folder, pictures, already };
  if (failures.length === 0) return result;
  throw new TaskFailure(
    text.batchFailures(failures.length, own.length + faults.length),
    { ...result, failures: failures.map(({ place, message }) => ({ place, message })) },
  );
}

/** The items of a batch that this process does not share out by claims. */
async function* allTurns(
  items: readonly BatchItem[],
  { isMade, onMade }: {
    readonly isMade: (item: BatchItem) => Promise<boolean>;
    readonly onMade: () => void;
  },
): AsyncGenerator<Turn<BatchItem>> {
  for (const item of items) {
    // Another process may work on the same batch.
    if (await isMade(item)) onMade();
    else {
      yield {
        item,
        finish: () => Promise.resolve(),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
    }
  }
}

/** The items in their order, from any of them on: workers meet least often that way. */
function fromAnywhere(items: readonly BatchItem[]): readonly BatchItem[] {
  const first = Math.floor(Math.random() * items.length);
  return [...items.slice(first), ...items.slice(0, first)];
}

function failedLines({ place, message }: Failure): readonly string[] {
  return [headed(text.batchFailed(place), message.split("\n"))].flat();
}

async function makeItem(
  studio: Studio,
  { id, place, name, request }: BatchItem,
  folder: string,
  { root, show, showSteps, preset, wildcards, isSilent, say }: BatchOptions & {
    readonly isSilent: boolean;
  },
): Promise<SavedPicture[]> {
  if (request.prompt.trim() === "") throw new RequestError(both((text) => text.emptyPrompt));
  const encoders = studio.pipe.promptEncoders;
  // Whoever catches the error says the place.
  // What a template makes is looked at when it is made.
  if (request.raw || !isTemplate(request.prompt)) {
    const { report, faultyLine } = examinePrompt(request.prompt, encoders, place);
    if (faultyLine !== undefined) {
      throw new RequestError(examinePrompt(request.prompt, encoders).message());
    }
    if (report.lines.length > 0) say(report);
    const beyond = studio.beyondTraining(request)[language];
    if (beyond.length > 0) say(headed(text.batchFailed(place), beyond));
  }
  return await makePictures(studio, request, {
    folder,
    root,
    name,
    count: 1,
    batchId: id,
    preset,
    wildcards,
    show,
    showSteps,
    isSilent,
  });
}
