/** The prompt as cards: the same text in another form. */
import { useEffect } from "preact/hooks";
import { lastField, lintSoon } from "./editor.tsx";
import {
  type Card,
  type Cards,
  cardsOf,
  CHARACTER_FIELDS,
  type Field,
  GENERAL_FIELDS,
  newCharacter,
  POSITIONS,
  promptOf,
  tagsIn,
  withoutTags,
} from "./cards_model.ts";
import { Icon } from "./icons.tsx";
import { setDraft, useStore } from "./store.ts";
import { textsOf } from "./texts.ts";

function change(cards: Cards): void {
  const prompt = promptOf(cards);
  setDraft({ prompt });
  lintSoon();
}

export function CardsView() {
  const { language, draft: { prompt } } = useStore();
  const texts = textsOf(language);
  useEffect(() => lintSoon(), [language]);
  const isPlain = prompt.trim() !== "" && !/<[a-z_]/i.test(withoutTags(prompt));
  const cards = isPlain ? undefined : cardsOf(prompt);
  if (cards === undefined) {
    return (
      <div class="cards-empty">
        <p>{isPlain ? texts.plainIsNoCards : texts.brokenXml}</p>
        {isPlain && (
          <button
            type="button"
            class="button"
            onClick={() =>
              change({
                characters: [newCharacter()],
                general: [{ name: "other", text: withoutTags(prompt).trim() }],
                rest: [],
                loras: tagsIn(prompt),
              })}
          >
            {texts.makeCards}
          </button>
        )}
      </div>
    );
  }
  const { characters, general, rest } = cards;
  const withCharacters = (next: readonly Card[]) => change({ ...cards, characters: next });
  return (
    <div class="cards">
      {characters.map((card, index) => (
        <fieldset class="card" key={index}>
          <legend>{texts.character(index + 1)}</legend>
          <div class="card-tools">
            <IconButton
              icon="up"
              label={`${texts.up}: ${texts.character(index + 1)}`}
              isDisabled={index === 0}
              onClick={() => withCharacters(moved(characters, index, index - 1))}
            />
            <IconButton
              icon="down"
              label={`${texts.down}: ${texts.character(index + 1)}`}
              isDisabled={index === characters.length - 1}
              onClick={() => withCharacters(moved(characters, index, index + 1))}
            />
            <IconButton
              icon="copy"
              label={`${texts.duplicate}: ${texts.character(index + 1)}`}
              onClick={() => withCharacters(characters.toSpliced(index + 1, 0, card))}
            />
            <IconButton
              icon="trash"
              label={`${texts.remove}: ${texts.character(index + 1)}`}
              onClick={() => withCharacters(characters.toSpliced(index, 1))}
            />
          </div>
          <Fields
            id={`character-${index}`}
            fields={card.fields}
            known={CHARACTER_FIELDS}
            onChange={(fields) => withCharacters(characters.with(index, { ...card, fields }))}
          />
        </fieldset>
      ))}
      <button
        type="button"
        class="button wide"
        onClick={() => withCharacters([...characters, newCharacter()])}
      >
        <Icon name="plus" /> {texts.addCharacter}
      </button>
      <fieldset class="card">
        <legend>{texts.general}</legend>
        <Fields
          id="general"
          fields={general}
          known={GENERAL_FIELDS}
          onChange={(next) => change({ ...cards, general: next })}
        />
      </fieldset>
      {rest.length > 0 && <p class="hint">{texts.otherMarkup}</p>}
    </div>
  );
}

function Fields({ id, fields, known, onChange }: {
  readonly id: string;
  readonly fields: readonly Field[];
  readonly known: readonly string[];
  readonly onChange: (fields: readonly Field[]) => void;
}) {
  const texts = textsOf(useStore().language);
  const missing = known.filter((name) => fields.every((field) => field.name !== name));
  return (
    <div class="fields">
      {fields.map((field, index) => {
        const label = texts.fields[field.name] ?? field.name;
        const set = (text: string) => onChange(fields.with(index, { ...field, text }));
        return (
          <div class="field" key={index}>
            <label for={`${id}-${index}`}>{label}</label>
            {field.name === "position" && isPosition(field.text)
              ? (
                <select
                  id={`${id}-${index}`}
                  value={field.text}
                  onChange={(event) => set(event.currentTarget.value)}
                >
                  {POSITIONS.map((name) => (
                    <option key={name} value={name}>{texts.positions[name]}</option>
                  ))}
                </select>
              )
              : (
                <input
                  id={`${id}-${index}`}
                  value={field.text}
                  spellcheck={false}
                  autocomplete="off"
                  onFocus={(event) => lastField.element = event.currentTarget}
                  onInput={(event) => set(event.currentTarget.value)}
                />
              )}
            <IconButton
              icon="close"
              label={`${texts.remove}: ${label}`}
              onClick={() => onChange(fields.toSpliced(index, 1))}
            />
          </div>
        );
      })}
      {missing.length > 0 && (
        <div class="chips" role="group" aria-label={texts.addField}>
          {missing.map((name) => (
            <button
              type="button"
              class="chip"
              key={name}
              onClick={() =>
                onChange([...fields, { name, text: name === "position" ? "center" : "" }])}
            >
              + {texts.fields[name] ?? name}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

function isPosition(text: string): boolean {
  return (POSITIONS as readonly string[]).includes(text);
}

function moved<T>(list: readonly T[], from: number, to: number): readonly T[] {
  return list.toSpliced(from, 1).toSpliced(to, 0, list[from]!);
}

export function IconButton({ icon, label, isDisabled = false, onClick }: {
  readonly icon: Parameters<typeof Icon>[0]["name"];
  readonly label: string;
  readonly isDisabled?: boolean;
  readonly onClick: () => void;
}) {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={label}
      disabled={isDisabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}
