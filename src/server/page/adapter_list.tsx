/** Adapters with a slider each, which writes `<lora:name:weight>` into the prompt. */
import { useEffect, useState } from "preact/hooks";
import { report } from "./actions.ts";
import { IconButton } from "./cards.tsx";
import { lintSoon } from "./editor.tsx";
import { Icon } from "./icons.tsx";
import { canBeTagged, loraTagsIn, withLora, withoutLora } from "./lora_tags.ts";
import { PanelBody } from "./panel_body.tsx";
import { promptApi } from "./prompt_api.ts";
import { promptTextsOf } from "./prompt_texts.ts";
import type { Adapter } from "./prompt_types.ts";
import { getState, setDraft, useStore } from "./store.ts";
import { textsOf } from "./texts.ts";

/** Beyond these a slider has no use; the text may say more. */
const LEAST = -1;
const MOST = 2;
const STEP = 0.05;
/** So many are listed without a search. */
const LISTED = 8;

export function AdapterList() {
  const { language, draft: { prompt } } = useStore();
  const texts = promptTextsOf(language);
  const [adapters, setAdapters] = useState<readonly Adapter[] | undefined>(undefined);
  const [search, setSearch] = useState("");
  useEffect(() => {
    promptApi.adapters().then(({ adapters }) => setAdapters(adapters), report);
  }, [language]);

  const used = loraTagsIn(prompt);
  const others = (adapters ?? []).filter(({ name }) =>
    canBeTagged(name) && used.every((tag) => tag.name !== name)
  );
  const found = others.filter(({ name }) => name.toLowerCase().includes(search.toLowerCase()));
  return (
    <PanelBody about={texts.adaptersAbout}>
      {adapters?.length === 0 && used.length === 0 && <p>{texts.noAdapters}</p>}
      {used.length > 0 && (
        <ul class="adapters">
          {used.map(({ name, weight }, index) => {
            const adapter = adapters?.find((one) => one.name === name);
            return (
              <li key={`${index} ${name}`}>
                <span class="adapter-name" title={name}>{name}</span>
                <Weight name={name} weight={weight} />
                <IconButton
                  icon="close"
                  label={texts.removeAdapter(name)}
                  onClick={() => change((prompt) => withoutLora(prompt, name))}
                />
                <State adapter={adapter} isKnown={adapters !== undefined} />
              </li>
            );
          })}
        </ul>
      )}
      {others.length > LISTED && (
        <input
          type="search"
          aria-label={texts.findAdapter}
          placeholder={texts.findAdapter}
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      )}
      {found.length > 0 && (
        <div class="chips">
          {found.slice(0, search === "" ? LISTED : 40).map((adapter) => (
            <button
              type="button"
              class={`chip ${adapter.problem === undefined ? "" : "unfit"}`}
              key={adapter.name}
              aria-label={texts.addAdapter(adapter.name)}
              title={adapter.problem ?? detailOf(adapter, language)}
              onClick={() => change((prompt) => withLora(prompt, adapter.name, 1))}
            >
              <Icon name="plus" /> {adapter.name}
            </button>
          ))}
        </div>
      )}
    </PanelBody>
  );
}

/** Changes the prompt as it stands now, wherever it is shown. */
function change(how: (prompt: string) => string): void {
  setDraft({ prompt: how(getState().draft.prompt) });
  lintSoon();
}

function Weight({ name, weight }: { readonly name: string; readonly weight: number }) {
  const texts = promptTextsOf(useStore().language);
  const set = (text: string) => {
    const next = Number(text);
    if (text.trim() !== "" && Number.isFinite(next)) {
      change((prompt) => withLora(prompt, name, next));
    }
  };
  return (
    <>
      <input
        type="range"
        min={LEAST}
        max={MOST}
        step={STEP}
        value={weight}
        aria-label={texts.weightOf(name)}
        onInput={(event) => set(event.currentTarget.value)}
      />
      <input
        class="adapter-weight"
        type="number"
        step={STEP}
        value={weight}
        aria-label={texts.weightOf(name)}
        onChange={(event) => set(event.currentTarget.value)}
      />
    </>
  );
}

function State({ adapter, isKnown }: {
  readonly adapter: Adapter | undefined;
  readonly isKnown: boolean;
}) {
  const { language } = useStore();
  const texts = promptTextsOf(language);
  if (!isKnown) return null;
  if (adapter === undefined) return <p class="adapter-state error">{texts.adapterMissing}</p>;
  if (adapter.problem !== undefined) {
    return (
      <p class="adapter-state error" title={adapter.problem}>
        {texts.adapterUnfit}: {adapter.problem}
      </p>
    );
  }
  const detail = detailOf(adapter, language);
  return detail === "" ? null : <p class="adapter-state">{detail}</p>;
}

function detailOf({ parts = [] }: Adapter, language: "en" | "zh"): string {
  if (parts.length === 0) return "";
  const names = parts.map((part) => textsOf(language).parts[part] ?? part);
  return language === "zh"
    ? `${promptTextsOf(language).changes}${names.join("、")}`
    : `${promptTextsOf(language).changes} ${names.join(", ")}`;
}
