/**
 * One queue for whoever asks for pictures, and one model that stays warm between them.
 *
 * @module
 */
import { relative, sep } from "node:path";
import { explainError, NewBieError } from "../errors.ts";
import type { PictureFormat } from "../image/mod.ts";
import type { Texts } from "../language.ts";
import { ChangedFileError } from "../safetensors/mod.ts";
import { cellCount, type Grid, parseGrid } from "./grid.ts";
import type { Job, JobPicture, JobState, QueueEvent } from "./job.ts";
import { makeSheet } from "./make_sheet.ts";
import { openFolderOfDay, OUTPUTS, savePicture } from "./outputs.ts";
import { Pace } from "./_pace.ts";
import { type Plan, type PlannedPicture, planPictures } from "./plan.ts";
import { QueueFile, type StoredJob } from "./_queue_file.ts";
import { type PictureRequest, requestedGenerator } from "./request.ts";
import { sheetName } from "./sheet.ts";
import type { MadeFile, StudioFacts, StudioThread, ThreadMakeOptions } from "./studio_thread.ts";

/** What draws: a {@linkcode StudioThread}. */
export type Painter = AsyncDisposable & Pick<StudioThread, "facts" | "make" | "hasEnded"> & {
  /** Whether steps come with previews from now on. */
  set previews(isWanted: boolean);
};

/** How a queue works. */
export interface PictureQueueOptions {
  /** Loads the model. */
  readonly open: () => Promise<Painter>;
  /**
   * After how many milliseconds without work the model is given back.
   *
   * @default {Infinity}
   */
  readonly idleMilliseconds?: number;
  /**
   * The most pictures that may wait.
   *
   * @default {10000}
   */
  readonly mostPictures?: number;
  /**
   * The most jobs that may wait.
   *
   * @default {1000}
   */
  readonly mostJobs?: number;
  /** The file that remembers what waits, so that it is there again after the process was killed. */
  readonly file?: string;
  /**
   * The folder of outputs.
   *
   * @default {"outputs"}
   */
  readonly root?: string;
}

/** What is asked for. */
export interface JobRequest {
  /** Without a seed, a random one is drawn now. */
  readonly request: PictureRequest;
  /**
   * How many pictures, with seeds in a row.
   *
   * @default {1}
   */
  readonly count?: number;
  /** The pictures differ by it instead of by seeds, and get a sheet; then there is no count. */
  readonly grid?: Grid;
  /** The presets that had a part in the request, for the recipe. */
  readonly preset?: string;
}

/** How the model stands. */
export type ModelState =
  | { readonly state: "absent" | "loading" }
  | { readonly state: "loaded"; readonly facts: StudioFacts }
  | { readonly state: "failed"; readonly error: Texts<string> };

/** A job, as the queue changes it. */
type OpenJob = { -readonly [K in keyof Job]: Job[K] } & {
  pictures: JobPicture[];
  readonly controller: AbortController;
  /** Stops the picture that is being made, and no other. */
  picture: AbortController;
  /** The next picture to be made, from 0. */
  next: number;
};

const MOST_PICTURES = 10_000;
const MOST_JOBS = 1000;
/** How many finished jobs are remembered. */
const MOST_FINISHED = 200;
const NAME = "output.png";
const FORMAT: PictureFormat = "png";
/** Why work stops: not an error for anybody. */
const CANCELLED = new DOMException("cancelled", "AbortError");

/** Jobs, one at a time. */
export class PictureQueue implements AsyncDisposable {
  readonly #options: PictureQueueOptions;
  readonly #jobs = new Map<string, OpenJob>();
  readonly #listeners = new Set<(event: QueueEvent) => void>();
  readonly #file: QueueFile | undefined;
  #painter: Promise<Painter> | undefined;
  #model: ModelState = { state: "absent" };
  #facts: StudioFacts | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #working: Promise<void> | undefined;
  #watchers = 0;
  #isClosed = false;

  private constructor(options: PictureQueueOptions, file: QueueFile | undefined) {
    this.#options = options;
    this.#file = file;
  }

  /** Makes a queue; what waited when the process before this one ended waits again. */
  static async open(options: PictureQueueOptions): Promise<PictureQueue> {
    const file = options.file === undefined ? undefined : await QueueFile.open(options.file);
    const queue = new PictureQueue(options, file);
    for (const stored of await file?.read() ?? []) queue.#insert(stored);
    queue.#work();
    return queue;
  }

  /** How the model stands. */
  get model(): ModelState {
    return this.#model;
  }

  /** What is known of the model since it was last loaded; absent before. */
  get facts(): StudioFacts | undefined {
    return this.#facts;
  }

  /** All jobs that are remembered, the oldest first. */
  get jobs(): readonly Job[] {
    return [...this.#jobs.values()].map(snapshot);
  }

  /** The job that is being drawn. */
  get current(): Job | undefined {
    const job = this.#currentJob;
    return job && snapshot(job);
  }

  /** A job by its id. */
  job(id: string): Job | undefined {
    const job = this.#jobs.get(id);
    return job && snapshot(job);
  }

  /**
   * Loads the model where it is not there.
   *
   * @throws {NewBieError} When it cannot be loaded.
   */
  async load(): Promise<StudioFacts> {
    const { facts } = await this.#paint();
    this.#rest();
    return facts;
  }

  /**
   * Adds a job at the end.
   *
   * @throws {RequestError} When too much waits already.
   */
  add({ request, grid, preset, ...asked }: JobRequest): Job {
    const { mostJobs = MOST_JOBS, mostPictures = MOST_PICTURES } = this.#options;
    const count = grid === undefined ? asked.count ?? 1 : cellCount(grid);
    const waiting = [...this.#jobs.values()].filter(isOpen);
    const pictures = waiting.reduce((sum, job) => sum + job.count - job.next, 0);
    if (this.#isClosed) {
      throw new QueueFullError({ en: "The server is shutting down.", zh: "服务器正在关闭。" });
    }
    if (waiting.length >= mostJobs || pictures + count > mostPictures) {
      throw new QueueFullError({
        en: `${waiting.length} jobs with ${pictures} pictures wait already; at most ${mostJobs} ` +
          `jobs and ${mostPictures} pictures may wait. Try again later.`,
        zh:
          `已有 ${waiting.length} 个任务、${pictures} 张图片在排队；最多允许 ${mostJobs} 个任务、` +
          `${mostPictures} 张图片。请稍后再试。`,
      });
    }
    const job = this.#insert({
      id: crypto.randomUUID(),
      request: withSeeds(request),
      count,
      ...(grid === undefined ? {} : { grid: grid.text }),
      ...(preset === undefined ? {} : { preset }),
      next: 0,
      pictures: [],
      created: Date.now(),
    });
    this.#changed(job);
    this.#work();
    return snapshot(job);
  }

  /**
   * Stops a job; one that waits is never begun, of one that is drawn the picture that is not done is
   * given up.
   *
   * @returns Whether there was anything to stop.
   */
  cancel(id: string): boolean {
    const job = this.#jobs.get(id);
    if (job === undefined || !isOpen(job)) return false;
    job.controller.abort(CANCELLED);
    if (job.state === "queued") this.#finish(job, "cancelled");
    return true;
  }

  /** Gives up the picture that is being made; the job goes on with its next one. */
  skip(): boolean {
    const job = this.#currentJob;
    job?.picture.abort(CANCELLED);
    return job !== undefined;
  }

  /** Forgets a finished job; its pictures stay. */
  forget(id: string): boolean {
    const job = this.#jobs.get(id);
    return job !== undefined && !isOpen(job) && this.#jobs.delete(id);
  }

  /** Resolves when a job is finished, however, or when the queue is closed. */
  async finished(id: string): Promise<Job | undefined> {
    const job = this.#jobs.get(id);
    if (job === undefined || !isOpen(job)) return job && snapshot(job);
    const { promise, resolve } = Promise.withResolvers<Job>();
    using _watch = this.watch((event) => {
      if (event.kind === "closed") resolve(snapshot(job));
      if (event.kind === "job" && event.job.id === id && !isOpen(event.job)) resolve(event.job);
    });
    return await promise;
  }

  /**
   * Tells whatever happens, until it is disposed.
   *
   * @param options `previews`: whether previews are wanted; they are made where anybody wants them.
   */
  watch(
    listener: (event: QueueEvent) => void,
    { previews = false }: { readonly previews?: boolean } = {},
  ): Disposable {
    this.#listeners.add(listener);
    if (previews) this.#watch(1);
    return {
      [Symbol.dispose]: () => {
        if (this.#listeners.delete(listener) && previews) this.#watch(-1);
      },
    };
  }

  /** Gives the model back while nothing is drawn. */
  async unload(): Promise<boolean> {
    if (this.#painter === undefined || this.#working !== undefined) return false;
    await this.#unload();
    return true;
  }

  /** Gives up what is being drawn and frees the model. What waits is remembered, where there is a file. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#idle);
    this.#currentJob?.picture.abort(CANCELLED);
    await this.#working;
    await this.#unload();
    this.#tell({ kind: "closed" });
    await this.#file?.settled();
  }

  get #currentJob(): OpenJob | undefined {
    return [...this.#jobs.values()].find(({ state }) => state === "drawing");
  }

  #insert({ pictures, ...stored }: StoredJob): OpenJob {
    const job: OpenJob = {
      ...stored,
      state: "queued",
      pictures: [...pictures],
      controller: new AbortController(),
      picture: new AbortController(),
    };
    this.#jobs.set(job.id, job);
    return job;
  }

  #work(): void {
    if (this.#working !== undefined || this.#isClosed) return;
    this.#working = this.#drawAll().finally(() => {
      this.#working = undefined;
      this.#rest();
    });
  }

  async #drawAll(): Promise<void> {
    clearTimeout(this.#idle);
    for (;;) {
      const job = [...this.#jobs.values()].find(({ state }) => state === "queued");
      if (job === undefined || this.#isClosed) return;
      await this.#draw(job);
    }
  }

  async #draw(job: OpenJob): Promise<void> {
    const { signal } = job.controller;
    job.state = "drawing";
    job.started = Date.now();
    this.#changed(job);
    try {
      let painter = await this.#paint();
      const grid = job.grid === undefined ? undefined : parseGrid(job.grid);
      const plan = await planPictures(job.request, { count: job.count, grid });
      const pace = new Pace();
      let renewed: number | undefined;
      while (job.next < job.count) {
        const index = job.next;
        signal.throwIfAborted();
        if (this.#isClosed) return this.#requeue(job);
        job.picture = new AbortController();
        const stop = AbortSignal.any([signal, job.picture.signal]);
        try {
          await this.#drawNext(job, painter, plan.pictures[index]!, pace, stop);
        } catch (error) {
          signal.throwIfAborted();
          // Once a picture: what keeps changing cannot be drawn with.
          if (error instanceof ChangedFileError && renewed !== index) {
            renewed = index;
            await this.#unload();
            painter = await this.#paint();
            continue;
          }
          if (!job.picture.signal.aborted) throw error;
          // Whoever closes the queue wants the picture to be made again.
          if (this.#isClosed) return this.#requeue(job);
        }
        job.next = index + 1;
      }
      await this.#addSheet(job, plan);
      this.#finish(job, "done");
    } catch (error) {
      if (signal.aborted) return this.#finish(job, "cancelled");
      job.error = { en: explainError(error, "en"), zh: explainError(error, "zh") };
      this.#finish(job, "failed");
    }
  }

  async #drawNext(
    job: OpenJob,
    painter: Painter,
    { request, template }: PlannedPicture,
    pace: Pace,
    signal: AbortSignal,
  ): Promise<void> {
    const index = job.next;
    const progress = (step: number, steps: number) => {
      job.progress = pace.progress({ picture: index, step, steps, count: job.count });
      this.#tell({ kind: "job", job: snapshot(job) });
    };
    pace.begin();
    const options: ThreadMakeOptions = {
      template,
      preset: job.preset,
      format: FORMAT,
      signal,
      onStep: ({ step, steps, preview }) => {
        progress(step, steps);
        if (preview === undefined) return;
        this.#tell({ kind: "preview", id: job.id, picture: index, step, image: preview });
      },
    };
    const made = await painter.make(request, options);
    job.pictures.push(await this.#keep(index, made));
    pace.end();
    // Whoever is told of a picture may count on it: it is not drawn again after the process was killed.
    job.next = index + 1;
    this.#save();
    await this.#file?.settled();
    this.#tell({ kind: "job", job: snapshot(job) });
  }

  async #keep(
    index: number,
    { file, recipe, width, height, milliseconds }: MadeFile,
  ): Promise<JobPicture> {
    return {
      index,
      ...await this.#saveAs(NAME, file),
      seed: String(recipe.generator.seed),
      prompt: recipe.prompt,
      width,
      height,
      milliseconds: Math.round(milliseconds),
    };
  }

  async #addSheet(job: OpenJob, { template }: Plan): Promise<void> {
    const { grid, pictures } = job;
    if (grid === undefined || pictures.length === 0) return;
    const { file, width, height } = await makeSheet({ grid, template, pictures });
    job.sheet = { ...await this.#saveAs(sheetName(NAME), file), width, height };
  }

  async #saveAs(name: string, file: Uint8Array): Promise<Pick<JobPicture, "path" | "name">> {
    const { root = OUTPUTS } = this.#options;
    const folder = await openFolderOfDay(new Date(), root);
    const path = await savePicture(folder, name, file, { root });
    return { path, name: relative(root, path).replaceAll(sep, "/") };
  }

  #requeue(job: OpenJob): void {
    job.state = "queued";
    delete job.progress;
    this.#changed(job);
  }

  #finish(job: OpenJob, state: JobState): void {
    job.state = state;
    job.ended = Date.now();
    delete job.progress;
    const finished = [...this.#jobs.values()].filter((job) => !isOpen(job));
    for (const { id } of finished.slice(0, Math.max(0, finished.length - MOST_FINISHED))) {
      this.#jobs.delete(id);
    }
    this.#changed(job);
  }

  async #paint(): Promise<Painter> {
    clearTimeout(this.#idle);
    if (this.#painter === undefined) {
      this.#stand({ state: "loading" });
      this.#painter = this.#options.open();
    }
    const opening = this.#painter;
    try {
      const painter = await opening;
      if (painter.hasEnded) {
        // Of several who notice it, one opens anew.
        if (this.#painter === opening) this.#painter = undefined;
        return await this.#paint();
      }
      painter.previews = this.#watchers > 0;
      this.#facts = painter.facts;
      if (this.#model.state !== "loaded") this.#stand({ state: "loaded", facts: painter.facts });
      return painter;
    } catch (error) {
      this.#painter = undefined;
      const texts = { en: explainError(error, "en"), zh: explainError(error, "zh") };
      this.#stand({ state: "failed", error: texts });
      throw error;
    }
  }

  async #unload(): Promise<void> {
    const painter = this.#painter;
    this.#painter = undefined;
    await (await painter?.catch(() => undefined))?.[Symbol.asyncDispose]();
    if (this.#model.state !== "failed") this.#stand({ state: "absent" });
  }

  #rest(): void {
    clearTimeout(this.#idle);
    const { idleMilliseconds = Infinity } = this.#options;
    // More than this many milliseconds would be none.
    if (this.#isClosed || idleMilliseconds > 2 ** 31 - 1) return;
    this.#idle = setTimeout(() => void this.unload(), idleMilliseconds);
    Deno.unrefTimer(this.#idle);
  }

  #watch(change: number): void {
    this.#watchers += change;
    this.#painter?.then((painter) => painter.previews = this.#watchers > 0).catch(() => {});
  }

  #stand(model: ModelState): void {
    this.#model = model;
    this.#tell({ kind: "model" });
  }

  #changed(job: OpenJob): void {
    this.#save();
    this.#tell({ kind: "job", job: snapshot(job) });
  }

  #save(): void {
    this.#file?.write([...this.#jobs.values()].filter(isOpen).map(stored));
  }

  #tell(event: QueueEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** Too much waits already, or nothing may be added any more. */
export class QueueFullError extends NewBieError {
  override name = "QueueFullError";
}

/** A request that is the same whenever it is drawn: seeds that it leaves open are drawn now. */
function withSeeds(request: PictureRequest): PictureRequest {
  const { generator, variation } = request;
  const isVaried = (variation?.strength ?? 0) > 0;
  const { seed } = requestedGenerator(
    variation?.seed === undefined ? {} : { seed: variation.seed },
  );
  return {
    ...request,
    generator: requestedGenerator(generator),
    ...(isVaried ? { variation: { ...variation, seed } } : {}),
  };
}

function stored(
  { id, request, count, grid, preset, next, pictures, created }: OpenJob,
): StoredJob {
  return {
    id,
    request,
    count,
    ...(grid === undefined ? {} : { grid }),
    ...(preset === undefined ? {} : { preset }),
    next,
    pictures: [...pictures],
    created,
  };
}

function isOpen({ state }: Pick<Job, "state">): boolean {
  return state === "queued" || state === "drawing";
}

function snapshot(
  { controller: _controller, picture: _picture, next: _next, pictures, ...job }: OpenJob,
): Job {
  return { ...job, pictures: [...pictures] };
}
