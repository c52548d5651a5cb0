/** What a prompt with choices and wildcards would draw, before it does. */
import { useEffect, useState } from "preact/hooks";
import { draw } from "./actions.ts";
import { ServerError } from "./api.ts";
import { Icon } from "./icons.tsx";
import { presetWords } from "./presets_model.ts";
import { promptApi } from "./prompt_api.ts";
import { promptTextsOf } from "./prompt_texts.ts";
import type { JobPlan } from "./prompt_types.ts";
import { shortened } from "./stage.tsx";
import { getState, setDraft, useStore } from "./store.ts";

const DELAY = 350;
/** So many pictures are shown, where fewer are asked for. */
const SHOWN = 4;
const MOST_SHOWN = 12;

export function TemplatePreview() {
  const { language, lint, draft } = useStore();
  const texts = promptTextsOf(language);
  const [edition, setEdition] = useState(0);
  const [plan, setPlan] = useState<JobPlan | undefined>(undefined);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const isTemplate = lint?.isTemplate ?? false;
  const seed = draft.values["seed"];
  const count = Math.min(MOST_SHOWN, Math.max(SHOWN, draft.count));
  const presets = JSON.stringify(presetWords(draft.values));

  useEffect(() => {
    if (!isTemplate || draft.prompt.trim() === "") return;
    const asked = new AbortController();
    const timer = setTimeout(() => {
      const words = {
        prompt: draft.prompt,
        count,
        ...JSON.parse(presets),
        ...(seed === undefined ? {} : { seed: String(seed) }),
      };
      promptApi.plan(words, asked.signal).then((read) => {
        setPlan(read);
        setProblem(undefined);
      }, (error) => {
        if (error instanceof ServerError) setProblem(error.message);
      });
    }, DELAY);
    return () => {
      clearTimeout(timer);
      asked.abort();
    };
  }, [isTemplate, draft.prompt, count, presets, seed, edition, language]);

  if (!isTemplate) return null;
  const first = plan?.pictures[0]?.seed;
  return (
    <section class="template" aria-label={texts.wouldDraw}>
      <header>
        <h3>{texts.wouldDraw}</h3>
        <button
          type="button"
          class="button small"
          onClick={() => {
            if (seed !== undefined) {
              const { seed: _, ...values } = getState().draft.values;
              setDraft({ values }, false);
            }
            setEdition(edition + 1);
          }}
        >
          <Icon name="dice" /> {texts.otherDraw}
        </button>
        {first !== undefined && problem === undefined && (
          <button
            type="button"
            class="button small"
            onClick={() => {
              const { values } = getState().draft;
              setDraft({ values: { ...values, seed: first }, count, grid: undefined }, false);
              void draw();
            }}
          >
            <Icon name="brush" /> {texts.drawThese}
          </button>
        )}
      </header>
      {problem === undefined
        ? (
          <ol>
            {plan?.pictures.map(({ seed, prompt }) => (
              <li key={seed} title={`${texts.seedOf(seed)}\n${prompt}`}>{shortened(prompt)}</li>
            ))}
          </ol>
        )
        : <p class="over">{problem}</p>}
    </section>
  );
}
