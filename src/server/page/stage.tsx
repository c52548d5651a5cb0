/** What is being drawn, what waits, and what was just drawn. */
import { useEffect, useState } from "preact/hooks";
import { cancelAll, drawAgain, isOpen, remove, useSettings } from "./actions.ts";
import { addressOf, api } from "./api.ts";
import { IconButton } from "./cards.tsx";
import { openCompare } from "./compare.tsx";
import { FavouriteButton } from "./favourite_button.tsx";
import { Icon } from "./icons.tsx";
import { pictureTextsOf } from "./picture_texts.ts";
import { promptTextsOf } from "./prompt_texts.ts";
import { startFromGallery } from "./starting.ts";
import { setDraft, setState, useStore } from "./store.ts";
import { textsOf } from "./texts.ts";
import { report } from "./actions.ts";
import { Vary } from "./vary.tsx";
import { openViewer } from "./viewer.tsx";
import type { GalleryPicture, Job, Recipe } from "./types.ts";

/** A prompt that the demo model, too, draws well. */
const EXAMPLE = `<character_1>
  <gender>1girl</gender>
  <appearance>blue_hair, twintails, blue_eyes</appearance>
  <clothing>school_uniform</clothing>
  <expression>smile</expression>
</character_1>

<general_tags>
  <count>1girl, solo</count>
  <background>simple_background, white_background</background>
</general_tags>`;

/** How long people read a time: `1 min 20 s`. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(1, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${seconds % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function Stage() {
  const { language, jobs, preview, shown, model, draft } = useStore();
  const texts = textsOf(language);
  const current = jobs.find(({ state }) => state === "drawing");
  const live = preview !== undefined && preview.id === current?.id ? preview.image : undefined;
  const made = jobs.flatMap(({ pictures }) => pictures).find(({ name }) => name === shown);
  const failed = jobs.findLast(({ state }) => state === "failed");
  const isLast = failed !== undefined && failed === jobs.at(-1);
  return (
    <section class="stage" aria-label={texts.stage}>
      <div class="canvas">
        {live !== undefined
          ? <img class="live" src={live} alt={texts.states.drawing} />
          : shown !== undefined
          ? (
            <button
              type="button"
              class="picture-button"
              onClick={() => openViewer(shown)}
              aria-label={made?.prompt ?? shown}
            >
              <img src={addressOf.file(shown)} alt="" />
            </button>
          )
          : (
            <div class="empty">
              <span class="empty-mark" aria-hidden="true">
                <Icon name="brush" />
              </span>
              <p>{texts.empty}</p>
              {draft.prompt === "" && (
                <button
                  type="button"
                  class="button"
                  onClick={() => setDraft({ prompt: EXAMPLE })}
                >
                  {texts.example}
                </button>
              )}
            </div>
          )}
        {isLast && current === undefined && (
          <p class="failure" role="alert">{failed.error?.[language]}</p>
        )}
      </div>
      {current !== undefined && <Progress job={current} isLoading={model.state === "loading"} />}
      {current === undefined && shown !== undefined && <PictureActions name={shown} />}
      <Queue />
      <Recent />
    </section>
  );
}

function Progress({ job, isLoading }: { readonly job: Job; readonly isLoading: boolean }) {
  const texts = textsOf(useStore().language);
  const { progress, count } = job;
  const done = progress === undefined
    ? 0
    : (progress.picture + progress.step / progress.steps) / count;
  const said = isLoading ? texts.loadingModel : progress === undefined ? texts.encoding : [
    texts.step(progress.step, progress.steps),
    ...(count > 1 ? [texts.picture(progress.picture + 1, count)] : []),
    ...(progress.millisecondsLeft === undefined
      ? []
      : [texts.left(duration(progress.millisecondsLeft))]),
  ].join(" · ");
  return (
    <div class="progress">
      <progress max={1} value={done} aria-label={texts.states.drawing} />
      <span class="progress-text">{said}</span>
      <button type="button" class="button quiet" onClick={() => api.cancel(job.id).catch(report)}>
        <Icon name="close" /> {texts.cancel}
      </button>
    </div>
  );
}

/** What can be done with a picture. */
export function PictureActions({ name, onDone = () => {} }: {
  readonly name: string;
  readonly onDone?: () => void;
}) {
  const { language } = useStore();
  const texts = textsOf(language);
  const of = pictureTextsOf(language);
  const withRecipe = async (use: (recipe: Recipe) => void) => {
    try {
      use(await api.recipe(name));
      onDone();
    } catch (error) {
      report(error);
    }
  };
  return (
    <div class="actions">
      <button
        type="button"
        class="button"
        onClick={() => void withRecipe((recipe) => void drawAgain(recipe))}
      >
        <Icon name="again" /> {texts.again}
      </button>
      <Vary withRecipe={withRecipe} />
      <button type="button" class="button" onClick={() => void withRecipe(useSettings)}>
        <Icon name="use" /> {texts.use}
      </button>
      <button
        type="button"
        class="button"
        onClick={() => {
          void startFromGallery(name);
          onDone();
        }}
      >
        <Icon name="image" /> {of.startFrom}
      </button>
      <button type="button" class="button" onClick={() => openCompare(name)}>
        <Icon name="compare" /> {of.compare}
      </button>
      <FavouriteButton name={name} />
      <a
        class="button icon-only"
        href={addressOf.download(name)}
        download
        aria-label={texts.download}
        title={texts.download}
      >
        <Icon name="download" />
      </a>
      <button
        type="button"
        class="button icon-only danger"
        aria-label={texts.delete}
        title={texts.delete}
        onClick={() => {
          void remove(name);
          onDone();
        }}
      >
        <Icon name="trash" />
      </button>
    </div>
  );
}

function Queue() {
  const { language, jobs } = useStore();
  const texts = textsOf(language);
  const waiting = jobs.filter(({ state }) => state === "queued");
  if (waiting.length === 0) return null;
  return (
    <section class="queue" aria-label={texts.queue}>
      <header>
        <h2>{texts.queue}</h2>
        <span class="hint">{texts.queued(waiting.length)}</span>
        {jobs.filter(isOpen).length > 1 && (
          <button type="button" class="button quiet" onClick={cancelAll}>{texts.cancelAll}</button>
        )}
      </header>
      <ol>
        {waiting.slice(0, 20).map((job) => (
          <li key={job.id}>
            <span class="queue-prompt">{shortened(String(job.request["prompt"] ?? ""))}</span>
            <span class="hint">× {job.count}</span>
            <IconButton
              icon="close"
              label={texts.cancel}
              onClick={() => api.cancel(job.id).catch(report)}
            />
          </li>
        ))}
      </ol>
    </section>
  );
}

/** A prompt in one line, without its tags. */
export function shortened(prompt: string): string {
  const plain = prompt.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ").trim();
  return plain.length > 140 ? `${plain.slice(0, 140)}…` : plain;
}

/** How many pictures are kept in sight. */
const RECENT = 24;

/** What was drawn before this server was started, the newest first. */
function useEarlier(): readonly { readonly name: string; readonly prompt: string }[] {
  const [earlier, setEarlier] = useState<readonly GalleryPicture[]>([]);
  const { isConnected } = useStore();
  useEffect(() => {
    api.gallery("", 0, RECENT).then(({ pictures }) => setEarlier(pictures), () => {});
  }, [isConnected]);
  return earlier.map(({ name, notes }) => ({ name, prompt: notes?.prompt ?? name }));
}

function Recent() {
  const { language, jobs, shown } = useStore();
  const texts = textsOf(language);
  const { sheet: sheetName } = promptTextsOf(language);
  const earlier = useEarlier();
  const drawn = jobs.flatMap(({ pictures, sheet }) => [
    ...pictures,
    ...(sheet === undefined ? [] : [{ ...sheet, prompt: sheetName }]),
  ]).reverse();
  const names = new Set(drawn.map(({ name }) => name));
  const pictures = [...drawn, ...earlier.filter(({ name }) => !names.has(name))].slice(0, RECENT);
  if (pictures.length < 2) return null;
  return (
    <section class="recent" aria-label={texts.recent}>
      <ul>
        {pictures.map(({ name, prompt }) => (
          <li key={name}>
            <button
              type="button"
              aria-pressed={name === shown}
              aria-label={shortened(prompt) || name}
              onClick={() => setState({ shown: name })}
            >
              <img
                src={addressOf.thumbnail(name)}
                alt=""
                loading="lazy"
                onError={(event) => {
                  // It was thrown away.
                  event.currentTarget.closest("li")!.hidden = true;
                }}
              />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
