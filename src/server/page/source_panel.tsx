/** The picture to start from: what it is, how far to go from it, where, and beyond which edges. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { addressOf, api, ServerError } from "./api.ts";
import { IconButton } from "./cards.tsx";
import { Icon } from "./icons.tsx";
import { openMaskEditor } from "./mask_editor.tsx";
import { canvasScale, fitCanvas, loadBase, MASK_COLOUR, replay } from "./mask_steps.ts";
import { pictureTextsOf } from "./picture_texts.ts";
import { RangeField } from "./range_field.tsx";
import { SettingField } from "./settings_form.tsx";
import {
  giveMask,
  goOnWithout,
  lookForGone,
  setMask,
  sourceNotes,
  startFromFile,
  withoutPicture,
} from "./starting.ts";
import { type Missing, saysSomething, setValue, useStore } from "./store.ts";
import type { DrawnSize, Setting } from "./types.ts";

const READABLE = "image/png,image/jpeg,image/webp,image/avif";
const STRENGTH = 0.6;
/** What is new at the edges is drawn from noise. */
const STRENGTH_OF_EXPANSION = 1;
/** What has a place of its own in the panel. */
const PLACED: ReadonlySet<string> = new Set(["strength", "expand"]);
const EDGES = ["left", "top", "right", "bottom"] as const;
const MOST_EXPANSION = 2048;
const SIZE_DELAY = 150;
/** Of the small picture in the panel. */
const PREVIEW_PIXELS = 160_000;

/** Whether a setting is shown in this panel. */
export function isOfPicture({ group }: Setting): boolean {
  return group === "picture" || group === "mask";
}

export function SourcePanel() {
  const { language, isGiving, draft: { values, missing = [] } } = useStore();
  const texts = pictureTextsOf(language);
  const image = values["image"];
  const [isOver, setOver] = useState(false);
  const isGone = missing.some(({ what }) => what === "image");
  return (
    <section
      class={`panel source ${isOver ? "over" : ""}`}
      aria-label={texts.title}
      data-drop="source"
      onDragOver={() => setOver(true)}
      onDragLeave={() => setOver(false)}
      onDrop={() => setOver(false)}
    >
      {missing.map((one) => <Gone key={one.what} missing={one} />)}
      {typeof image === "string" ? <Chosen image={image} /> : !isGone && (
        <div class="source-empty">
          <Icon name="image" />
          <p>
            {isGiving ? texts.giving : (
              <>
                <strong>{texts.title}</strong>
                <span class="hint">{texts.invite}</span>
              </>
            )}
          </p>
          <FileButton onFile={(file) => void startFromFile(file)}>{texts.choose}</FileButton>
        </div>
      )}
    </section>
  );
}

/** A button that asks for a file. */
function FileButton({ children, onFile }: {
  readonly children: ComponentChildren;
  readonly onFile: (file: File) => void;
}) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" class="button small" onClick={() => input.current?.click()}>
        {children}
      </button>
      <input
        ref={input}
        type="file"
        accept={READABLE}
        hidden
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          if (file !== undefined) onFile(file);
          event.currentTarget.value = "";
        }}
      />
    </>
  );
}

/** Says what is gone, and takes it again. */
function Gone({ missing: { what } }: { readonly missing: Missing }) {
  const texts = pictureTextsOf(useStore().language);
  const give = what === "image" ? startFromFile : giveMask;
  return (
    <div class="gone" role="alert">
      <p>{texts.gone[what]}</p>
      <div class="actions">
        <FileButton onFile={(file) => void give(file)}>{texts.give[what]}</FileButton>
        {what === "mask" && (
          <button type="button" class="button small" onClick={openMaskEditor}>
            {texts.paintMask}
          </button>
        )}
        <button type="button" class="button small quiet" onClick={() => goOnWithout(what)}>
          {texts.goOn}
        </button>
      </div>
    </div>
  );
}

function Chosen({ image }: { readonly image: string }) {
  const { language, settings, draft } = useStore();
  const { values, source, mask } = draft;
  const texts = pictureTextsOf(language);
  const { size, problem } = useDrawnSize();
  useEffect(() => {
    // Where it cannot be read, the preview says so.
    sourceNotes().catch(() => {});
  }, [image]);
  const isSized = values["width"] !== undefined || values["height"] !== undefined;
  const others = (settings?.settings ?? []).filter((setting) =>
    isOfPicture(setting) && !PLACED.has(setting.word) && saysSomething(setting, draft) &&
    (setting.word !== "resize" || isSized) &&
    // Where it is known, it is asked beside the picture, or not at all.
    (setting.word !== "alpha_mask" || source?.isTransparent === undefined)
  );
  const changed = others.filter(({ word }) => values[word] !== undefined).length;
  const isResized = source !== undefined && size !== undefined &&
    (size.width !== source.width || size.height !== source.height);
  return (
    <>
      <header>
        <Icon name="image" />
        <h2 title={source?.title}>{source?.title ?? texts.chosen}</h2>
        <span class="hint">
          {source !== undefined && texts.pixels(source.width, source.height)}
        </span>
        <IconButton icon="close" label={texts.without} onClick={withoutPicture} />
      </header>
      <div class="source-body">
        <div class="source-row">
          <Preview image={image} size={size} />
          <div class="source-side">
            <button type="button" class="button" onClick={openMaskEditor}>
              <Icon name="brush" /> {mask === undefined ? texts.paintMask : texts.changeMask}
            </button>
            {mask !== undefined && (
              <button
                type="button"
                class="button quiet"
                onClick={() => setMask(undefined)}
              >
                <Icon name="close" /> {texts.removeMask}
              </button>
            )}
            {source?.isTransparent && (
              <div class="setting check">
                <input
                  id="setting-alpha_mask"
                  type="checkbox"
                  checked={values["alpha_mask"] === true}
                  onChange={(event) =>
                    setValue("alpha_mask", event.currentTarget.checked || undefined)}
                />
                <label for="setting-alpha_mask">{texts.transparent}</label>
              </div>
            )}
            {isResized && (
              <p class="hint" aria-live="polite">{texts.drawnIn(size.width, size.height)}</p>
            )}
            {problem !== "" && <p class="source-problem" role="alert">{problem}</p>}
          </div>
        </div>
        <RangeField
          id="setting-strength"
          label={texts.strength}
          about={texts.strengthAbout}
          value={values["strength"] as number | undefined}
          usual={values["expand"] === undefined ? STRENGTH : STRENGTH_OF_EXPANSION}
          least={0}
          most={1}
          step={0.05}
          onChange={(value) => setValue("strength", value)}
        />
        <Edges />
        {others.length > 0 && (
          <details class="more">
            <summary>
              {texts.moreOfPicture}
              {changed > 0 && <span class="badge">{changed}</span>}
            </summary>
            <div class="setting-list">
              {others.map((setting) => (
                <SettingField key={setting.word} setting={setting} isExplained />
              ))}
            </div>
          </details>
        )}
      </div>
    </>
  );
}

/** What the server says of the size; asked whenever it may have changed. */
function useDrawnSize(): { readonly size: DrawnSize | undefined; readonly problem: string } {
  const { model, draft: { values } } = useStore();
  const { image, width, height, resize, expand } = values;
  const [size, setSize] = useState<DrawnSize | undefined>(undefined);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    setProblem("");
    const stop = new AbortController();
    const words = Object.fromEntries(
      Object.entries({ image, width, height, resize, expand })
        .filter(([, value]) => value !== undefined),
    );
    const timer = setTimeout(() => {
      api.drawnSize(words, stop.signal).then(setSize, (error) => {
        if (stop.signal.aborted) return;
        setSize(undefined);
        if (error instanceof ServerError) setProblem(error.message);
      });
    }, size === undefined ? 0 : SIZE_DELAY);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [image, width, height, resize, expand, model.state]);
  return { size, problem };
}

/** The picture with its mask, in its place within what will be drawn. */
function Preview({ image, size }: {
  readonly image: string;
  readonly size: DrawnSize | undefined;
}) {
  const { language, draft: { source, mask } } = useStore();
  const texts = pictureTextsOf(language);
  const canvas = useRef<HTMLCanvasElement>(null);
  const whole = size ?? source ?? { width: 1, height: 1 };
  const place = size?.place ?? { left: 0, top: 0, ...whole };
  useEffect(() => {
    if (canvas.current === null || mask === undefined || source === undefined) return;
    const shown = canvas.current;
    let isCurrent = true;
    const base = mask.base === undefined ? Promise.resolve(undefined) : loadBase(mask.base);
    base.then((base) => {
      if (!isCurrent) return;
      fitCanvas(shown, source, canvasScale(source, PREVIEW_PIXELS));
      replay(shown, mask, { base, size: source, colour: MASK_COLOUR });
    }).catch(() => {
      if (isCurrent && mask.base !== undefined) void lookForGone("mask", mask.base);
    });
    return () => {
      isCurrent = false;
    };
  }, [mask, source]);
  const share = (part: number, all: number) => `${100 * part / all}%`;
  const isGrown = place.width !== whole.width || place.height !== whole.height;
  return (
    <div
      class={`source-preview ${isGrown ? "grown" : ""}`}
      style={{ aspectRatio: `${whole.width} / ${whole.height}` }}
      role="img"
      aria-label={isGrown ? texts.outline(whole.width, whole.height) : texts.chosen}
    >
      <div
        class="source-place"
        style={{
          left: share(place.left, whole.width),
          top: share(place.top, whole.height),
          width: share(place.width, whole.width),
          height: share(place.height, whole.height),
        }}
      >
        <img
          src={addressOf.picture(image)}
          alt=""
          onError={() => void lookForGone("image", image)}
        />
        {mask !== undefined && <canvas ref={canvas} class="mask-tint" />}
      </div>
    </div>
  );
}

/** Pixels by the edges that say `left=128,top=64`. */
export function edgesOf(expand: unknown): Readonly<Record<string, number>> {
  if (typeof expand !== "string") return {};
  return Object.fromEntries(
    expand.split(",").map((part) => part.split("=")).map(([edge, pixels]) => [
      edge!,
      Number(pixels),
    ]),
  );
}

function Edges() {
  const { language, settings, draft: { values, source } } = useStore();
  const texts = pictureTextsOf(language);
  const multiple = settings?.model?.sizeMultiple ?? 16;
  const edges = edgesOf(values["expand"]);
  const set = (next: Readonly<Record<string, number>>) => {
    const said = EDGES.filter((edge) => (next[edge] ?? 0) > 0)
      .map((edge) => `${edge}=${next[edge]}`).join(",");
    setValue("expand", said === "" ? undefined : said);
  };
  const whole = (pixels: number) => Math.ceil(Math.max(0, pixels) / multiple) * multiple;
  const evenly = (share: number) => {
    const { width = 0, height = 0 } = source ?? {};
    const [across, down] = [whole(width * share), whole(height * share)];
    set({ left: across, right: across, top: down, bottom: down });
  };
  return (
    <fieldset class="edges">
      <legend>{texts.expand}</legend>
      {EDGES.map((edge) => (
        <div class="edge" key={edge}>
          <label for={`edge-${edge}`}>{texts.edges[edge]}</label>
          <input
            id={`edge-${edge}`}
            type="number"
            min={0}
            max={MOST_EXPANSION}
            step={multiple}
            placeholder="0"
            value={edges[edge] ?? ""}
            onInput={(event) => {
              const pixels = Math.round(Number(event.currentTarget.value));
              set({ ...edges, [edge]: Math.min(MOST_EXPANSION, Math.max(0, pixels || 0)) });
            }}
            onChange={(event) => {
              const pixels = whole(Number(event.currentTarget.value));
              set({ ...edges, [edge]: Math.min(MOST_EXPANSION, pixels || 0) });
            }}
          />
        </div>
      ))}
      <div class="chips">
        <button type="button" class="chip" onClick={() => evenly(0.25)}>{texts.evenly(25)}</button>
        {values["expand"] !== undefined && (
          <button
            type="button"
            class="chip"
            onClick={() => set({})}
          >
            {texts.noEdges}
          </button>
        )}
      </div>
    </fieldset>
  );
}
