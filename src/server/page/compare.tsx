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
  /** What the right one was drawn from. */
  readonly source?: string | undefined;
  readonly others: readonly string[];
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
    left: source ?? before?.name ?? right,
    source,
    others: names.slice(0, MOST_OTHERS),
  };
}

async function sourceOf(name: string): Promise<string | undefined> {
  try {
    const { image } = (await api.recipe(name)).settings;
    return typeof image === "string" ? image : undefined;
  } catch {
    // A picture without a recipe can be compared, too.
    return undefined;
  }
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
  useEffect(() => {
    let isCurrent = true;
    sizeOf(addressOf.picture(right)).then((size) => isCurrent && setSize(size), report);
    return () => {
      isCurrent = false;
    };
  }, [right]);
  const choices = [...new Set([...(source === undefined ? [] : [source]), left, ...others])]
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
          <img src={addressOf.picture(right)} alt={`${texts.after}: ${nameOf(right)}`} />
          <img
            class="compare-left"
            src={addressOf.picture(left)}
            alt={`${texts.before}: ${nameOf(left)}`}
          />
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
        <span title={left}>{source === left ? texts.drawnFrom : nameOf(left)}</span>
        <span title={right}>{source === right ? texts.drawnFrom : nameOf(right)}</span>
      </div>
      {choices.length > 1 && (
        <ul class="compare-others" aria-label={texts.otherPicture}>
          {choices.map((name) => (
            <li key={name}>
              <button
                type="button"
                aria-pressed={name === left}
                aria-label={name === source ? texts.drawnFrom : nameOf(name)}
                title={name === source ? texts.drawnFrom : nameOf(name)}
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
