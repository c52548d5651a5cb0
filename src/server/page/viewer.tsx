/** One picture, large, with its recipe: of the gallery, or one that was dropped onto the page. */
import { useEffect, useRef, useState } from "preact/hooks";
import { report, useSettings } from "./actions.ts";
import { addressOf, api, ServerError } from "./api.ts";
import { IconButton } from "./cards.tsx";
import { Icon } from "./icons.tsx";
import { pictureTextsOf } from "./picture_texts.ts";
import { promptTextsOf } from "./prompt_texts.ts";
import { PictureActions } from "./stage.tsx";
import { startFromFile } from "./starting.ts";
import { getState, notify, useStore } from "./store.ts";
import { textsOf } from "./texts.ts";
import type { Recipe } from "./types.ts";

/** What is looked at: a name of the gallery, or a file. */
type Looked = { readonly name: string } | { readonly file: File };

let open: (looked: Looked) => void = () => {};

export function openViewer(name: string): void {
  open({ name });
}

export function openFile(file: File): void {
  open({ file });
}

export function Viewer() {
  const { language, gallery } = useStore();
  const texts = textsOf(language);
  const dialog = useRef<HTMLDialogElement>(null);
  const [looked, look] = useState<Looked | undefined>(undefined);
  const [recipe, setRecipe] = useState<Recipe | string | undefined>(undefined);
  const [address, setAddress] = useState("");

  // Nothing is seen of what was looked at before.
  const turnTo = (next: Looked | undefined) => {
    look(next);
    setRecipe(undefined);
    setAddress("");
  };
  open = (next) => {
    turnTo(next);
    if (dialog.current?.open === false) dialog.current.showModal();
  };

  useEffect(() => {
    if (looked === undefined) return;
    let isCurrent = true;
    setRecipe(undefined);
    const blob = "file" in looked ? URL.createObjectURL(looked.file) : undefined;
    setAddress(blob ?? addressOf.file((looked as { name: string }).name));
    ("file" in looked ? api.readRecipe(looked.file) : api.recipe(looked.name)).then(
      (read) => isCurrent && setRecipe(read),
      (error) => {
        if (!isCurrent) return;
        if (error instanceof ServerError) setRecipe(error.message);
        else report(error);
      },
    );
    return () => {
      isCurrent = false;
      if (blob !== undefined) URL.revokeObjectURL(blob);
    };
  }, [looked, language]);

  const close = () => dialog.current?.close();
  const name = looked !== undefined && "name" in looked ? looked.name : undefined;
  const file = looked !== undefined && "file" in looked ? looked.file : undefined;
  const pictures = gallery?.pictures ?? [];
  const place = pictures.findIndex((picture) => picture.name === name);
  const go = (by: number) => {
    const next = place < 0 ? undefined : pictures[place + by];
    if (next !== undefined) turnTo({ name: next.name });
  };

  return (
    <dialog
      ref={dialog}
      class="viewer"
      aria-label={texts.recipe}
      onClose={() => turnTo(undefined)}
      onClick={(event) => event.target === dialog.current && close()}
      onKeyDown={(event) => {
        if (event.target instanceof HTMLInputElement) return;
        if (event.key === "ArrowLeft") go(-1);
        if (event.key === "ArrowRight") go(1);
      }}
    >
      {looked !== undefined && (
        <div class="viewer-body">
          <div class="viewer-picture">
            {address !== "" && <img src={address} alt={name ?? texts.dropped} />}
            {place > 0 && (
              <span class="go previous">
                <IconButton icon="left" label={texts.previous} onClick={() => go(-1)} />
              </span>
            )}
            {place >= 0 && place < pictures.length - 1 && (
              <span class="go next">
                <IconButton icon="right" label={texts.next} onClick={() => go(1)} />
              </span>
            )}
          </div>
          <div class="viewer-side">
            <header>
              <h2>{name?.split("/").at(-1) ?? texts.dropped}</h2>
              <IconButton icon="close" label={texts.close} onClick={close} />
            </header>
            {name !== undefined && <PictureActions name={name} onDone={close} />}
            {file !== undefined && (
              <div class="actions">
                {typeof recipe === "object" && (
                  <button
                    type="button"
                    class="button primary"
                    onClick={() => {
                      useSettings(recipe);
                      close();
                    }}
                  >
                    <Icon name="use" /> {texts.use}
                  </button>
                )}
                <button
                  type="button"
                  class="button"
                  onClick={() => {
                    void startFromFile(file);
                    close();
                  }}
                >
                  <Icon name="image" /> {pictureTextsOf(language).startFrom}
                </button>
              </div>
            )}
            {typeof recipe === "string" && <p class="hint">{recipe}</p>}
            {typeof recipe === "object" && <RecipeView recipe={recipe} />}
          </div>
        </div>
      )}
    </dialog>
  );
}

function shownValue(value: unknown): string {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) {
    return value.join(", ");
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function RecipeView({ recipe }: { readonly recipe: Recipe }) {
  const { language, settings } = useStore();
  const texts = textsOf(language);
  const { prompt, negative_prompt, ...words } = recipe.settings;
  const nameOf = (word: string) =>
    word === "width" || word === "height"
      ? texts[word]
      : word === "lora"
      ? promptTextsOf(language).adapters
      : settings?.settings.find((setting) => setting.word === word)?.name?.[language] ??
        (language === "en" ? word.replaceAll("_", " ") : word);
  const text = String(prompt ?? "");
  return (
    <div class="recipe">
      <p class="hint">{texts.recipeOf(recipe.program)}</p>
      {recipe.missing.map((what) => (
        <p class="recipe-gone" key={what}>{pictureTextsOf(language).gone[what]}</p>
      ))}
      <div class="recipe-head">
        <h3>{texts.prompt}</h3>
        <IconButton
          icon="copy"
          label={texts.copy}
          onClick={() => {
            navigator.clipboard.writeText(text).then(
              () => notify({ text: textsOf(getState().language).copied, kind: "info" }),
              report,
            );
          }}
        />
      </div>
      <pre class="recipe-prompt" tabIndex={0}>{text}</pre>
      {typeof negative_prompt === "string" && negative_prompt !== "" && (
        <>
          <h3>{texts.negative}</h3>
          <pre class="recipe-prompt" tabIndex={0}>{negative_prompt}</pre>
        </>
      )}
      <dl>
        {Object.entries(words).map(([word, value]) => (
          <div key={word}>
            <dt>{nameOf(word)}</dt>
            <dd>{shownValue(value)}</dd>
          </div>
        ))}
        {recipe.made !== undefined && (
          <div>
            <dt>{texts.computed}</dt>
            <dd>{recipe.made.provider}, {recipe.made.dtype}</dd>
          </div>
        )}
      </dl>
      {recipe.left.length > 0 && (
        <>
          <h3>{texts.leftOver}</h3>
          <dl>
            {recipe.left.map(({ name, value }, index) => (
              <div key={index}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </>
      )}
    </div>
  );
}
