/** Wildcards: what there is, what each can be, and a click that puts one into the prompt. */
import { useEffect, useState } from "preact/hooks";
import { report } from "./actions.ts";
import { insertIntoPrompt } from "./editor.tsx";
import { Icon } from "./icons.tsx";
import { PanelBody } from "./panel_body.tsx";
import { promptApi } from "./prompt_api.ts";
import { promptTextsOf } from "./prompt_texts.ts";
import type { WildcardValues } from "./prompt_types.ts";
import { useStore } from "./store.ts";

/** So many are listed at once. */
const LISTED = 60;

export function WildcardList() {
  const { language } = useStore();
  const texts = promptTextsOf(language);
  const [names, setNames] = useState<readonly string[] | undefined>(undefined);
  const [search, setSearch] = useState("");
  const [looked, setLooked] = useState<WildcardValues | undefined>(undefined);
  useEffect(() => {
    promptApi.wildcards().then(({ wildcards }) => setNames(wildcards), (error) => {
      setNames([]);
      report(error);
    });
  }, [language]);
  if (names === undefined) return <div class="panel-body" aria-busy="true" />;
  const found = names.filter((name) => name.toLowerCase().includes(search.toLowerCase()));
  const look = (name: string) => {
    if (looked?.name === name) return setLooked(undefined);
    promptApi.wildcard(name).then(setLooked, report);
  };
  return (
    <PanelBody about={texts.wildcardsAbout}>
      {names.length === 0 ? <p>{texts.noWildcards}</p> : (
        <input
          type="search"
          aria-label={texts.findWildcard}
          placeholder={texts.findWildcard}
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      )}
      <ul class="wildcards">
        {found.slice(0, LISTED).map((name) => (
          <li key={name}>
            <button
              type="button"
              class="chip"
              aria-label={texts.insert(`__${name}__`)}
              title={texts.insert(`__${name}__`)}
              onClick={() => insertIntoPrompt(`__${name}__`)}
            >
              <Icon name="plus" /> {name}
            </button>
            <button
              type="button"
              class="icon-button"
              aria-expanded={looked?.name === name}
              aria-label={texts.valuesOf(name)}
              title={texts.valuesOf(name)}
              onClick={() => look(name)}
            >
              <Icon name="search" />
            </button>
            {looked?.name === name && (
              <p class="wildcard-values" tabIndex={0}>
                <b>{texts.valueCount(looked.count)}:</b> {looked.values.join(" · ")}
                {looked.count > looked.values.length ? " …" : ""}
              </p>
            )}
          </li>
        ))}
      </ul>
    </PanelBody>
  );
}
