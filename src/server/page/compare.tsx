/** Two pictures over each other: the left one ends where the slider stands. */
import { useEffect, useRef, useState } from "preact/hooks";
import { addressOf, api } from "./api.ts";
import { IconButton } from "./cards.tsx";
import type { Size } from "./mask_steps.ts";
import { pictureTextsOf } from "./picture_texts.ts";
import { report } from "./report.ts";
import { sizeOf } from "./starting.ts";
import { getState, useStore } from "./store.ts";
import { textsOf } from "./texts.ts";
import type { DrawnSize } from "./types.ts";

/** Of those to choose from. */
const MOST_OTHERS = 24;
const MIDDLE = 50;

let open: (name: string) => void = () => {};

/** Compares a picture of the gallery: with the one that it was drawn from, or with the one before it. */
export function openCompare(name: string): void {
  open(name);
}

interface Compared {
  readonly left: string;
  readonly right: string;
  /** What one of them was drawn from. */
  readonly source?: Source | undefined;
  readonly others: readonly string[];
}

/** What a picture was drawn from, and where that lies in it. */
interface Source {
  readonly name: string;
  readonly drawn: string;
  /** Absent where nobody can say. */
  readonly size: DrawnSize | undefined;
  readonly fit: "cover" | "contain" | "fill";
}

export function Compare() {
  const { language } = useStore();
  const texts = pictureTextsOf(language);
  const dialog = useRef<HTMLDialogElement>(null);
  const [compared, setCompared] = useState<Compared | undefined>(undefined);

  open = (name) => {
    choose(name).then((found) => {
      setCompared(found);
      if (dialog.current?.open === false) dialog.current.showModal();
    }, report);
  };

  return (
    <dialog
      ref={dialog}
      class="compare"
      aria-label={texts.compareTitle}
      onClose={() => setCompared(undefined)}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      {compared !== undefined && (
        <Sides
          compared={compared}
          onChange={setCompared}
          onClose={() => dialog.current?.close()}
        />
      )}
    </dialog>
  );
}

async function choose(right: string): Promise<Compared> {
  const { gallery, jobs } = getState();
  const listed = gallery?.pictures ?? (await api.gallery("", 0, MOST_OTHERS)).pictures;
  const drawn = jobs.flatMap(({ pictures }) => pictures).reverse();
  const names = [...new Set([...listed, ...drawn].map(({ name }) => name))];
  const place = listed.findIndex(({ name }) => name === right);
  const before = listed[place + 1] ?? listed[place - 1];
  const source = await sourceOf(right);
  return {
    right,
    left: source?.name ?? before?.name ?? right,
    source,
    others: names.slice(0, MOST_OTHERS),
  };
}

async function sourceOf(drawn: string): Promise<Source | undefined> {
  try {
    const { image, width, height, resize, expand } = (await api.recipe(drawn)).settings;
    if (typeof image !== "string") return undefined;
    const words = Object.fromEntries(
      Object.entries({ image, width, height, resize, expand })
        .filter(([, value]) => value !== undefined),
    );
    const size = await api.drawnSize(words, new AbortController().signal).catch(() => undefined);
    const isWhole = width !== undefined && height !== undefined;
    const mode = resize ?? (isWhole ? "crop" : "fit");
    const fit = mode === "crop" ? "cover" : mode === "pad" ? "contain" : "fill";
    return { name: image, drawn, size, fit };
  } catch {
    // A picture without a recipe can be compared, too.
    return undefined;
  }
}

/** Where a picture lies on the stage: the source where it lies in what was drawn from it. */
function placeOf(name: string, other: string, source: Source | undefined) {
  if (source?.size === undefined || source.name !== name || source.drawn !== other) return {};
  const { size: { width, height, place }, fit } = source;
  return {
    left: `${100 * place.left / width}%`,
    top: `${100 * place.top / height}%`,
    width: `${100 * place.width / width}%`,
    height: `${100 * place.height / height}%`,
    objectFit: fit,
  };
}

function Sides({ compared, onChange, onClose }: {
  readonly compared: Compared;
  readonly onChange: (compared: Compared) => void;
  readonly onClose: () => void;
}) {
  const { language } = useStore();
  const texts = pictureTextsOf(language);
  const { left, right, source, others } = compared;
  const [place, setPlace] = useState(MIDDLE);
  const [size, setSize] = useState<Size | undefined>(undefined);
  const nameOf = (name: string) => name.split("/").at(-1)!;
  // What was drawn is at least as large as what it was drawn from.
  const larger = source?.name === right && source.drawn === left ? left : right;
  useEffect(() => {
    let isCurrent = true;
    sizeOf(addressOf.picture(larger)).then((size) => isCurrent && setSize(size), report);
    return () => {
      isCurrent = false;
    };
  }, [larger]);
  const said = (name: string) => name === source?.name ? texts.drawnFrom : nameOf(name);
  const choices = [...new Set([...(source === undefined ? [] : [source.name]), left, ...others])]
    .filter((name) => name !== right);
  return (
    <div class="compare-body">
      <header>
        <h2>{texts.compareTitle}</h2>
        <IconButton
          icon="swap"
          label={texts.swapSides}
          onClick={() => onChange({ ...compared, left: right, right: left })}
        />
        <IconButton icon="close" label={textsOf(language).close} onClick={onClose} />
      </header>
      <div class="compare-stage">
        <div
          class="compare-pictures"
          style={{
            "--place": `${place}%`,
            "--ratio": size === undefined ? "1" : `${size.width / size.height}`,
          }}
        >
          <img
            src={addressOf.picture(right)}
            alt={`${texts.after}: ${said(right)}`}
            style={placeOf(right, left, source)}
          />
          <div class="compare-left">
            <img
              src={addressOf.picture(left)}
              alt={`${texts.before}: ${said(left)}`}
              style={placeOf(left, right, source)}
            />
          </div>
          <input
            type="range"
            min={0}
            max={100}
            step={0.5}
            value={place}
            aria-label={texts.divide}
            onInput={(event) => setPlace(Number(event.currentTarget.value))}
          />
          <span class="compare-line" aria-hidden="true" />
        </div>
      </div>
      <div class="compare-names">
        <span title={left}>{said(left)}</span>
        <span title={right}>{said(right)}</span>
      </div>
      {choices.length > 1 && (
        <ul class="compare-others" aria-label={texts.otherPicture}>
          {choices.map((name) => (
            <li key={name}>
              <button
                type="button"
                aria-pressed={name === left}
                aria-label={said(name)}
                title={said(name)}
                onClick={() => onChange({ ...compared, left: name })}
              >
                <img
                  src={name.startsWith(".given/")
                    ? addressOf.picture(name)
                    : addressOf.thumbnail(name)}
                  alt=""
                  loading="lazy"
                />
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
