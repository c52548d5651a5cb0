/** What people do. */
import { api } from "./api.ts";
import { withLoras } from "./lora_tags.ts";
import { pictureTextsOf } from "./picture_texts.ts";
import { report } from "./report.ts";
import { goOnWithout, wordsOf } from "./starting.ts";
import { closeNotice, EMPTY, getState, notify, setDraft, setState } from "./store.ts";
import { loadGallery } from "./gallery_pages.ts";
import { textsOf } from "./texts.ts";
import type { Job, ModelState, Preview, Recipe, Value, Words } from "./types.ts";

export { report };

function texts() {
  return textsOf(getState().language);
}

/** Asks for the pictures of the draft. */
export async function draw(): Promise<void> {
  const { draft, language } = getState();
  const [missing] = draft.missing ?? [];
  if (missing !== undefined) {
    const { gone, goOn } = pictureTextsOf(language);
    const run = () => {
      goOnWithout(missing.what);
      void draw();
    };
    return notify({ text: gone[missing.what], kind: "error", action: { label: goOn, run } });
  }
  try {
    await drawWords(await wordsOf(draft));
  } catch (error) {
    report(error);
  }
}

/** Asks for pictures. */
export async function drawWords(words: Words): Promise<void> {
  try {
    const job = await api.draw(words);
    closeNotice();
    takeJob(job);
  } catch (error) {
    report(error);
  }
}

/** Stops what is being drawn, or else what waits first. */
export function cancelCurrent(): void {
  const { jobs } = getState();
  const job = jobs.find(({ state }) => state === "drawing") ??
    jobs.find(({ state }) => state === "queued");
  if (job !== undefined) api.cancel(job.id).catch(report);
}

export function cancelAll(): void {
  const open = getState().jobs.filter(isOpen);
  for (const { id } of open.reverse()) api.cancel(id).catch(report);
}

export function isOpen({ state }: Job): boolean {
  return state === "queued" || state === "drawing";
}

/**
 * Takes over the settings of a recipe, all of them: what they do not say is as it was at first. Of
 * pictures that are gone the page says so.
 */
export function useSettings({ settings, missing, hashes }: Recipe): void {
  const { prompt, negative_prompt, mask, lora, ...words } = settings;
  const values = Object.fromEntries(
    Object.entries(words).filter(([word, value]) => isValue(value) && word !== "count"),
  ) as Record<string, Value>;
  setDraft({
    ...EMPTY,
    prompt: withLoras(typeof prompt === "string" ? prompt : "", lora),
    negative: typeof negative_prompt === "string" ? negative_prompt : "",
    values,
    source: undefined,
    mask: typeof mask === "string" ? { base: mask, steps: [] } : undefined,
    missing: missing.length === 0
      ? undefined
      : missing.map((what) => ({ what, hash: hashes[what] })),
  });
  setState({ view: "draw" });
  location.hash = "";
  const [gone] = missing;
  const { language } = getState();
  notify(
    gone === undefined
      ? { text: texts().used, kind: "info" }
      : { text: pictureTextsOf(language).gone[gone], kind: "error" },
  );
}

/**
 * Draws a recipe again, with some of its words changed. Where a picture that it needs is gone, its
 * settings are taken over instead, so that the picture can be given again.
 */
export async function drawAgain(recipe: Recipe, change: Words = {}): Promise<void> {
  const { settings, missing } = recipe;
  if (missing.length > 0) return useSettings({ ...recipe, settings: { ...settings, ...change } });
  await drawWords({ negative_prompt: "", ...settings, count: 1, ...change });
}

function isValue(value: unknown): value is Value {
  return ["string", "number", "boolean"].includes(typeof value);
}

/** Throws a picture away, with a way back. */
export async function remove(name: string): Promise<void> {
  try {
    const { binned } = await api.remove(name);
    if (getState().shown === name) setState({ shown: undefined });
    await loadGallery();
    notify({
      text: texts().deleted,
      kind: "info",
      action: {
        label: texts().undo,
        run: () => void api.restore(binned).then(() => loadGallery()).catch(report),
      },
    });
  } catch (error) {
    report(error);
  }
}

export function searchFor(search: string): void {
  setState({ search, gallery: undefined });
  void loadGallery();
}

export async function loadSettings(): Promise<void> {
  try {
    setState({ settings: await api.settings() });
  } catch (error) {
    report(error);
  }
}

function takeJob(job: Job): void {
  const { jobs, preview, shown } = getState();
  const before = jobs.find(({ id }) => id === job.id);
  const others = before === undefined
    ? [...jobs, job]
    : jobs.map((it) => it.id === job.id ? job : it);
  // A grid ends with its sheet.
  const made = job.sheet ?? job.pictures.at(-1);
  const isNew = made !== undefined &&
    made.name !== (before?.sheet ?? before?.pictures.at(-1))?.name;
  const isOver = preview?.id === job.id && (isNew || !isOpen(job));
  setState({
    jobs: others,
    ...(isNew ? { shown: made.name } : { shown }),
    ...(isOver ? { preview: undefined } : {}),
  });
  if (isNew && getState().gallery !== undefined) void loadGallery();
}

/** Watches the server; when it is gone, until it is there again. */
export function watch(): void {
  const source = new EventSource("/api/events");
  const listening = new AbortController();
  const { signal } = listening;
  // A browser has six connections to a server: a page that nobody sees leaves its own to the others.
  const leave = () => {
    if (!document.hidden || signal.aborted || getState().jobs.some(isOpen)) return;
    listening.abort();
    source.close();
    document.addEventListener("visibilitychange", watch, { once: true });
  };
  document.addEventListener("visibilitychange", leave, { signal });
  const take = <Data>(name: string, use: (data: Data) => void) =>
    source.addEventListener(name, (event) => use(JSON.parse((event as MessageEvent).data)));
  source.addEventListener("open", () => {
    setState({ isConnected: true });
    void loadSettings();
  });
  source.addEventListener("error", () => {
    setState({ isConnected: false });
    // Where the browser gave up, it begins again.
    if (source.readyState !== EventSource.CLOSED || signal.aborted) return;
    listening.abort();
    setTimeout(watch, 2000);
  });
  take("jobs", ({ jobs, model }: { jobs: Job[]; model: ModelState }) => {
    const latest = jobs.findLast(({ pictures }) => pictures.length > 0)?.pictures.at(-1)?.name;
    setState({ jobs, model, shown: getState().shown ?? latest });
  });
  take("job", (job: Job) => {
    takeJob(job);
    leave();
  });
  take("preview", (preview: Preview) => setState({ preview }));
  take("model", (model: ModelState) => {
    setState({ model });
    if (model.state === "loaded") void loadSettings();
  });
}
