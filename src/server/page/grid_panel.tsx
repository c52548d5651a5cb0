/** A grid of pictures: up to three settings with their values, counted before anything is drawn. */
import { useEffect } from "preact/hooks";
import { ServerError } from "./api.ts";
import { axisKind, gridText, isAxis, MOST_AXES, valuesOf } from "./grid_model.ts";
import { promptApi } from "./prompt_api.ts";
import { promptTextsOf } from "./prompt_texts.ts";
import { type AxisDraft, saysSomething, setDraft, setState, useStore } from "./store.ts";
import { textsOf } from "./texts.ts";

const DELAY = 200;
const NONE: AxisDraft = { word: "", values: "" };

export function GridPanel() {
  const { language, draft, grid: counted, settings } = useStore();
  const texts = promptTextsOf(language);
  const { grid = [] } = draft;
  const text = gridText(draft);

  useEffect(() => {
    if (text === undefined) return setState({ grid: undefined });
    const asked = new AbortController();
    const timer = setTimeout(() => {
      promptApi.grid(text, asked.signal).then(
        ({ count }) => setState({ grid: { count } }),
        (error) => {
          if (error instanceof ServerError) setState({ grid: { problem: error.message } });
        },
      );
    }, DELAY);
    return () => {
      clearTimeout(timer);
      asked.abort();
    };
  }, [text, language]);

  const axes = Array.from(
    { length: Math.min(MOST_AXES, grid.length + 1) },
    (_, index) => grid[index] ?? NONE,
  );
  const set = (index: number, axis: AxisDraft) => {
    const next = axes.with(index, axis).filter(({ word }) => word !== "");
    setDraft({ grid: next.length === 0 ? undefined : next }, false);
  };
  const most = settings?.limits.pictures ?? Infinity;
  return (
    <details class="more" open={text !== undefined}>
      <summary>
        {texts.grid}
        {counted?.count !== undefined && (
          <span class={`badge ${counted.count > most ? "over" : ""}`}>{counted.count}</span>
        )}
      </summary>
      <div class="setting-list grid-axes">
        <p class="hint">{texts.gridAbout}</p>
        {axes.map((axis, index) => (
          <Axis
            key={index}
            index={index}
            axis={axis}
            used={grid.map(({ word }) => word)}
            onChange={(next) => set(index, next)}
          />
        ))}
        {counted !== undefined && (
          <div class="grid-count">
            <p
              role="status"
              class={counted.problem !== undefined || counted.count! > most ? "over" : ""}
            >
              {counted.problem ??
                (counted.count! > most
                  ? texts.gridTooMany(counted.count!, most)
                  : texts.gridCount(counted.count!))}
            </p>
            <button
              type="button"
              class="button small"
              onClick={() => setDraft({ grid: undefined }, false)}
            >
              {texts.endGrid}
            </button>
          </div>
        )}
      </div>
    </details>
  );
}

function Axis({ index, axis, used, onChange }: {
  readonly index: number;
  readonly axis: AxisDraft;
  readonly used: readonly string[];
  readonly onChange: (axis: AxisDraft) => void;
}) {
  const { language, settings, draft } = useStore();
  const texts = promptTextsOf(language);
  const known = settings?.settings ?? [];
  const name = texts.axis(index);
  const kind = axisKind(axis.word, known);
  const choices = known.find(({ word }) => word === axis.word)?.schema.enum ?? [];
  const chosen = valuesOf(axis);
  const isFree = (word: string) => word === axis.word || !used.includes(word);
  const options: readonly (readonly [word: string, label: string])[] = [
    ["prompt", texts.promptAxis],
    ["negative_prompt", textsOf(language).negative],
    ["lora", texts.adapterAxis],
    ["size", texts.sizeAxis],
    ...known.filter((setting) => isAxis(setting) && saysSomething(setting, draft)).map((setting) =>
      [
        setting.word,
        setting.name?.[language] ??
          (language === "en" ? setting.word.replaceAll("_", " ") : setting.word),
      ] as const
    ),
  ];
  return (
    <div class="axis">
      <label for={`axis-${index}`}>{name}</label>
      <select
        id={`axis-${index}`}
        value={axis.word}
        onChange={(event) => {
          const word = event.currentTarget.value;
          const isSameKind = axisKind(word, known) === kind && kind !== "choice";
          onChange({ word, values: isSameKind ? axis.values : "" });
        }}
      >
        <option value="">{texts.noAxis}</option>
        {options.filter(([word]) => isFree(word)).map(([word, label]) => (
          <option key={word} value={word}>{label}</option>
        ))}
      </select>
      {axis.word !== "" && (kind === "choice"
        ? (
          <div class="chips" role="group" aria-label={texts.axisValues(name)}>
            {choices.map((choice) => (
              <button
                type="button"
                class="chip"
                key={choice}
                aria-pressed={chosen.includes(choice)}
                onClick={() =>
                  onChange({
                    ...axis,
                    values: choices.filter((it) =>
                      it === choice ? !chosen.includes(it) : chosen.includes(it)
                    ).join(", "),
                  })}
              >
                {choice}
              </button>
            ))}
          </div>
        )
        : (
          <input
            aria-label={texts.axisValues(name)}
            placeholder={texts.valuesHint[kind]}
            autocomplete="off"
            spellcheck={false}
            value={axis.values}
            onInput={(event) => onChange({ ...axis, values: event.currentTarget.value })}
          />
        ))}
      {kind === "text" && axis.word !== "" && <p class="about">{texts.promptValues}</p>}
    </div>
  );
}
