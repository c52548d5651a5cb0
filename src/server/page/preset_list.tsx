/** Presets as chips: on and off, saved from what is set now, deleted. */
import { useEffect, useState } from "preact/hooks";
import { report } from "./actions.ts";
import { IconButton } from "./cards.tsx";
import { Icon } from "./icons.tsx";
import { PanelBody } from "./panel_body.tsx";
import { activePresets, PRESET_WORD, presetOf, rememberedPresets } from "./presets_model.ts";
import { promptApi } from "./prompt_api.ts";
import { promptTextsOf } from "./prompt_texts.ts";
import type { Preset, PresetContent } from "./prompt_types.ts";
import { getState, notify, setDraft, setValue, useStore } from "./store.ts";
import { textsOf } from "./texts.ts";
import type { Value, Words } from "./types.ts";

export function PresetList() {
  const { language, draft: { values } } = useStore();
  const texts = promptTextsOf(language);
  const [presets, setPresets] = useState<readonly Preset[] | undefined>(undefined);
  const [contents, setContents] = useState<Readonly<Record<string, PresetContent>>>({});
  const [isSaving, setSaving] = useState(false);
  const load = () => promptApi.presets().then(({ presets }) => setPresets(presets), report);
  useEffect(() => void load(), [language]);
  const active = activePresets(values);
  const activeNames = active.join("\n");
  useEffect(() => {
    for (const name of active.filter((name) => contents[name] === undefined)) {
      promptApi.preset(name).then(
        (content) => setContents((known) => ({ ...known, [name]: content })),
        () => {},
      );
    }
  }, [activeNames, presets]);
  if (presets === undefined) return <div class="panel-body" aria-busy="true" />;

  const setActive = (names: readonly string[]) => setValue(PRESET_WORD, rememberedPresets(names));
  const toggle = (name: string) =>
    setActive(active.includes(name) ? active.filter((it) => it !== name) : [...active, name]);
  const remove = async ({ name }: Preset) => {
    try {
      await promptApi.removePreset(name);
      setActive(activePresets(getState().draft.values).filter((it) => it !== name));
      notify({ text: promptTextsOf(getState().language).presetDeleted(name), kind: "info" });
    } catch (error) {
      report(error);
    }
    await load();
  };
  const takeOver = (content: PresetContent) => {
    const { draft } = getState();
    const { negative_prompt, ...settings } = content.settings;
    const entries = Object.entries(settings) as [string, Value][];
    setDraft({
      values: { ...draft.values, ...Object.fromEntries(entries) },
      ...(typeof negative_prompt === "string" ? { negative: negative_prompt } : {}),
    }, false);
    notify({ text: promptTextsOf(getState().language).tookOver(content.name), kind: "info" });
  };
  const gone = active.filter((name) => presets.every((preset) => preset.name !== name));

  return (
    <PanelBody about={texts.presetsAbout}>
      <div class="chips">
        {presets.map(({ name, description, problem }) => (
          <button
            type="button"
            class={`chip ${problem === undefined ? "" : "unfit"}`}
            key={name}
            aria-pressed={active.includes(name)}
            title={problem ?? description ?? name}
            onClick={() =>
              problem === undefined ? toggle(name) : notify({
                text: problem,
                kind: "error",
              })}
          >
            {name}
          </button>
        ))}
        <button
          type="button"
          class="chip"
          aria-expanded={isSaving}
          onClick={() => setSaving(!isSaving)}
        >
          <Icon name="save" /> {texts.savePreset}
        </button>
      </div>
      {gone.map((name) => (
        <p class="adapter-state error" key={name}>
          {texts.presetGone(name)}
          <IconButton
            icon="close"
            label={texts.deletePreset(name)}
            onClick={() => toggle(name)}
          />
        </p>
      ))}
      {isSaving && (
        <SaveForm
          onSaved={(name) => {
            setSaving(false);
            setContents(({ [name]: _, ...others }) => others);
            void load();
          }}
        />
      )}
      {active.map((name) => {
        const content = contents[name];
        const preset = presets.find((preset) => preset.name === name);
        if (preset === undefined) return null;
        return (
          <div class="preset-on" key={name}>
            <header>
              <b>{name}</b>
              {content !== undefined && Object.keys(content.settings).length > 0 && (
                <button
                  type="button"
                  class="button small"
                  onClick={() => takeOver(content)}
                >
                  {texts.takeOver}
                </button>
              )}
              <IconButton
                icon="trash"
                label={preset.isEditable ? texts.deletePreset(name) : texts.sharedFile}
                isDisabled={!preset.isEditable}
                onClick={() => void remove(preset)}
              />
            </header>
            {content !== undefined && <Says content={content} />}
          </div>
        );
      })}
    </PanelBody>
  );
}

/** What a preset says, in one line. */
function Says({ content: { settings, prefix, suffix } }: { readonly content: PresetContent }) {
  const { language } = useStore();
  const texts = promptTextsOf(language);
  const words = [prefix, suffix].filter((part) => part !== "");
  return (
    <p class="hint">
      {[
        ...(words.length === 0
          ? []
          : [`${texts.wordsAround}: ${[prefix, "…", suffix].filter((it) => it !== "").join(" ")}`]),
        ...saidWords(settings, language),
      ].join(" · ")}
    </p>
  );
}

/** Settings for people: `Steps 20`. */
function saidWords(words: Words, language: "en" | "zh"): readonly string[] {
  const known = getState().settings?.settings ?? [];
  return Object.entries(words).map(([word, value]) => {
    const name = word === "negative_prompt"
      ? textsOf(language).negative
      : known.find((setting) => setting.word === word && word !== "width" && word !== "height")
        ?.name?.[language] ?? (language === "zh" ? word : word.replaceAll("_", " "));
    return `${name} ${String(value)}`;
  });
}

function SaveForm({ onSaved }: { readonly onSaved: (name: string) => void }) {
  const { language, draft } = useStore();
  const texts = promptTextsOf(language);
  const [name, setName] = useState("");
  const [suffix, setSuffix] = useState("");
  const kept = presetOf(draft, suffix);
  const said = saidWords(kept, language);
  const isEmpty = said.length === 0;
  const save = async () => {
    try {
      await promptApi.savePreset(name.trim(), kept);
      notify({ text: promptTextsOf(getState().language).saved(name.trim()), kind: "info" });
      onSaved(name.trim());
    } catch (error) {
      report(error);
    }
  };
  return (
    <form
      class="save-preset"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isEmpty && name.trim() !== "") void save();
      }}
    >
      <label for="preset-name">{texts.presetName}</label>
      <input
        id="preset-name"
        required
        maxLength={100}
        autocomplete="off"
        value={name}
        onInput={(event) => setName(event.currentTarget.value)}
      />
      <label for="preset-words">{texts.presetWords}</label>
      <input
        id="preset-words"
        autocomplete="off"
        placeholder={texts.presetWordsHint}
        value={suffix}
        onInput={(event) => setSuffix(event.currentTarget.value)}
      />
      <p class="hint">
        {isEmpty ? texts.keepsNothing : `${texts.presetKeeps}: ${said.join(" · ")}`}
      </p>
      <button
        type="submit"
        class="button"
        disabled={isEmpty || name.trim() === ""}
      >
        <Icon name="save" /> {texts.save}
      </button>
    </form>
  );
}
