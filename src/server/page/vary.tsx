/** A picture with a little of another seed's noise: how much, and how many. */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { drawAgain } from "./actions.ts";
import { Icon } from "./icons.tsx";
import { pictureTextsOf } from "./picture_texts.ts";
import { RangeField } from "./range_field.tsx";
import { useStore } from "./store.ts";
import { textsOf } from "./texts.ts";
import type { Recipe } from "./types.ts";

const USUAL_STRENGTH = 0.15;
const MOST_PICTURES = 8;

export function Vary({ withRecipe }: {
  /** Reads the picture's recipe, and does something with it. */
  readonly withRecipe: (use: (recipe: Recipe) => void) => Promise<void>;
}) {
  const { language } = useStore();
  const texts = pictureTextsOf(language);
  const menu = useRef<HTMLDetailsElement>(null);
  const id = useId();
  const [strength, setStrength] = useState(USUAL_STRENGTH);
  const [count, setCount] = useState(1);
  useEffect(() => {
    const leave = (event: Event) => {
      if (menu.current?.open && !menu.current.contains(event.target as Node)) {
        menu.current.open = false;
      }
    };
    addEventListener("pointerdown", leave);
    return () => removeEventListener("pointerdown", leave);
  }, []);
  const close = () => {
    menu.current!.open = false;
    menu.current!.querySelector("summary")!.focus();
  };
  const draw = () => {
    void withRecipe((recipe) =>
      void drawAgain(recipe, {
        variation_strength: strength,
        variation_seed: String(randomSeed()),
        count,
      })
    );
    close();
  };
  const drawOther = () => {
    void withRecipe(({ settings, ...recipe }) => {
      const { seed: _, variation_seed: _seed, variation_strength: _much, ...words } = settings;
      void drawAgain({ ...recipe, settings: words }, { count });
    });
    close();
  };
  return (
    <details
      ref={menu}
      class="vary"
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !menu.current!.open) return;
        // Neither the job nor the dialog around is meant.
        event.preventDefault();
        event.stopPropagation();
        close();
      }}
    >
      <summary class="button">
        <Icon name="dice" /> {texts.vary}
      </summary>
      <div class="vary-menu" role="group" aria-label={texts.varyTitle}>
        <RangeField
          id={`${id}-strength`}
          label={texts.howMuch}
          about={texts.howMuchAbout}
          value={strength}
          usual={USUAL_STRENGTH}
          least={0.01}
          most={1}
          step={0.01}
          onChange={(value) => setStrength(value ?? USUAL_STRENGTH)}
        />
        <RangeField
          id={`${id}-count`}
          label={textsOf(language).count}
          value={count}
          usual={1}
          least={1}
          most={MOST_PICTURES}
          step={1}
          onChange={(value) => setCount(Math.round(value ?? 1))}
        />
        <div class="actions">
          <button type="button" class="button primary small" onClick={draw}>
            <Icon name="brush" /> {texts.drawVariations}
          </button>
          <button type="button" class="button small" onClick={drawOther}>
            <Icon name="dice" /> {texts.otherSeed}
          </button>
        </div>
      </div>
    </details>
  );
}

/** Below 2³², which every program takes. */
function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}
