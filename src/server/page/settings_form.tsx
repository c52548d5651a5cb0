/** The settings of a picture: all that the server knows, whatever they are. */
import { IconButton } from "./cards.tsx";
import { GridPanel } from "./grid_panel.tsx";
import { pictureTextsOf } from "./picture_texts.ts";
import { isOfPicture } from "./source_panel.tsx";
import { EMPTY, setDraft, setValue, useStore } from "./store.ts";
import { textsOf } from "./texts.ts";
import type { Setting, Value } from "./types.ts";

/** Those that have a place of their own. */
const PLACED: ReadonlySet<string> = new Set([
  "prompt",
  "negative_prompt",
  "width",
  "height",
  "seed",
]);
/** Those that are always in sight. */
const FIRST: readonly string[] = ["steps", "guidance"];

export function SettingsForm() {
  const { language, settings, draft: { values, count, grid } } = useStore();
  const texts = textsOf(language);
  if (settings === undefined) return null;
  const known = settings.settings.filter((setting) =>
    !PLACED.has(setting.word) && !isOfPicture(setting)
  );
  const first = known.filter(({ word }) => FIRST.includes(word));
  const others = known.filter(({ word }) => !FIRST.includes(word));
  const { image } = values;
  const picture = image === undefined ? {} : { image };
  const changed = others.filter(({ word }) => values[word] !== undefined).length;
  return (
    <section class="panel settings" aria-label={texts.settings}>
      <SizeFields />
      <div class="setting-row">
        {first.map((setting) => <SettingField key={setting.word} setting={setting} />)}
        <SeedField />
        <div class="setting">
          <label for="setting-count">{texts.count}</label>
          <input
            id="setting-count"
            type="number"
            min={1}
            max={settings.limits.pictures}
            disabled={grid !== undefined}
            value={count}
            onChange={(event) => {
              const asked = Math.round(Number(event.currentTarget.value)) || 1;
              const next = Math.max(1, Math.min(settings.limits.pictures, asked));
              event.currentTarget.value = String(next);
              setDraft({ count: next }, false);
            }}
          />
        </div>
      </div>
      <GridPanel />
      <details class="more">
        <summary>
          {texts.more}
          {changed > 0 && <span class="badge">{changed}</span>}
        </summary>
        <div class="setting-list">
          {others.map((setting) => (
            <SettingField
              key={setting.word}
              setting={setting}
              isExplained
            />
          ))}
          <button
            type="button"
            class="button quiet"
            onClick={() =>
              setDraft({
                values: { ...EMPTY.values, ...picture },
                count: 1,
                grid: undefined,
              }, false)}
          >
            {texts.reset}
          </button>
        </div>
      </details>
    </section>
  );
}

function SizeFields() {
  const { language, settings, model, draft: { values, source } } = useStore();
  const texts = textsOf(language);
  const facts = settings?.model ?? (model.state === "loaded" ? model.facts : undefined);
  const size = facts?.defaultSize ?? 1024;
  const multiple = facts?.sizeMultiple ?? 16;
  const isOfPicture = values["image"] !== undefined && values["width"] === undefined &&
    values["height"] === undefined;
  const own = isOfPicture ? source : undefined;
  const width = Number(values["width"] ?? own?.width ?? size);
  const height = Number(values["height"] ?? own?.height ?? size);
  const near = (side: number) => Math.max(multiple, Math.round(side / multiple) * multiple);
  const presets = [
    ["portrait", near(size * 0.8125), near(size * 1.1875)],
    ["square", size, size],
    ["landscape", near(size * 1.1875), near(size * 0.8125)],
  ] as const;
  const set = (word: "width" | "height", text: string) => {
    const side = Number(text);
    if (!(side > 0)) return setValue(word, undefined);
    if (own === undefined) return setValue(word, near(side));
    // The first side that is set brings the other along.
    const factor = side / own[word];
    const [width, height] = [near(own.width * factor), near(own.height * factor)];
    setDraft({ values: { ...values, width, height } }, false);
  };
  return (
    <fieldset class="sizes">
      <legend>{texts.size}</legend>
      <div class="chips">
        {values["image"] !== undefined && (
          <button
            type="button"
            class="chip size-chip"
            aria-pressed={isOfPicture}
            onClick={() => {
              const { width: _, height: _height, ...others } = values;
              setDraft({ values: others }, false);
            }}
          >
            {pictureTextsOf(language).asPicture}
          </button>
        )}
        {presets.map(([name, w, h]) => (
          <button
            type="button"
            key={name}
            class="chip size-chip"
            aria-pressed={!isOfPicture && width === w && height === h}
            onClick={() => setDraft({ values: { ...values, width: w, height: h } }, false)}
          >
            <span class={`shape ${name}`} aria-hidden="true" />
            {texts[name]}
          </button>
        ))}
      </div>
      <div class="size-fields">
        <input
          type="number"
          aria-label={texts.width}
          value={width}
          min={multiple}
          step={multiple}
          onChange={(event) => set("width", event.currentTarget.value)}
        />
        <IconButton
          icon="swap"
          label={texts.swap}
          onClick={() => setDraft({ values: { ...values, width: height, height: width } }, false)}
        />
        <input
          type="number"
          aria-label={texts.height}
          value={height}
          min={multiple}
          step={multiple}
          onChange={(event) => set("height", event.currentTarget.value)}
        />
      </div>
    </fieldset>
  );
}

function SeedField() {
  const { language, draft: { values } } = useStore();
  const texts = textsOf(language);
  return (
    <div class="setting">
      <label for="setting-seed">{texts.seed}</label>
      <div class="with-button">
        <input
          id="setting-seed"
          inputmode="numeric"
          pattern="[0-9]{1,20}"
          placeholder={texts.random}
          autocomplete="off"
          value={String(values["seed"] ?? "")}
          onInput={(event) => {
            const typed = event.currentTarget.value.trim();
            // -1 asks for a random one, as everywhere; its sign alone says nothing yet.
            if (typed === "-") return;
            const digits = typed.startsWith("-1") ? "" : typed.replaceAll(/\D/g, "").slice(0, 20);
            event.currentTarget.value = digits;
            setValue("seed", digits === "" ? undefined : digits);
          }}
          onBlur={(event) => {
            event.currentTarget.value = String(values["seed"] ?? "");
          }}
        />
        <IconButton
          icon="dice"
          label={texts.randomSeed}
          onClick={() => setValue("seed", undefined)}
        />
      </div>
    </div>
  );
}

export function SettingField({ setting, isExplained = false }: {
  readonly setting: Setting;
  readonly isExplained?: boolean;
}) {
  const { language, draft: { values } } = useStore();
  const texts = textsOf(language);
  const { word, about, schema, otherwise } = setting;
  const name = setting.name?.[language] ?? (language === "en" ? word.replaceAll("_", " ") : word);
  const label = name.charAt(0).toUpperCase() + name.slice(1);
  const id = `setting-${word}`;
  const value = values[word];
  const set = (next: Value | undefined) => setValue(word, next);
  const note = isExplained ? <p class="about" id={`${id}-about`}>{about[language]}</p> : null;
  const described = isExplained
    ? { "aria-describedby": `${id}-about` }
    : { title: about[language] };
  if (schema.type === "boolean") {
    return (
      <div class="setting check">
        <input
          id={id}
          type="checkbox"
          checked={value === true}
          onChange={(event) => set(event.currentTarget.checked || undefined)}
          {...described}
        />
        <label for={id}>{label}</label>
        {note}
      </div>
    );
  }
  if (schema.enum !== undefined) {
    const usual = otherwise?.[language] ?? String(setting.default ?? "");
    return (
      <div class="setting">
        <label for={id}>{label}</label>
        <select
          id={id}
          value={String(value ?? "")}
          onChange={(event) => set(event.currentTarget.value || undefined)}
          {...described}
        >
          <option value="">{usual}</option>
          {schema.enum.map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
        {note}
      </div>
    );
  }
  const isNumber = schema.type === "integer" || schema.type === "number";
  const usual = String(setting.default ?? otherwise?.[language] ?? texts.modelDefault);
  return (
    <div class="setting">
      <label for={id}>{label}</label>
      <input
        id={id}
        {...(isNumber ? numberField(schema) : { type: "text" as const })}
        placeholder={usual}
        value={String(value ?? "")}
        onChange={(event) => {
          const text = event.currentTarget.value;
          set(text === "" ? undefined : isNumber ? Number(text) : text);
        }}
        {...described}
      />
      {note}
    </div>
  );
}

function numberField({ type, minimum, maximum }: Setting["schema"]) {
  return {
    type: "number" as const,
    step: type === "number" ? "any" : 1,
    ...(minimum === undefined ? {} : { min: minimum }),
    ...(maximum === undefined ? {} : { max: maximum }),
  };
}
