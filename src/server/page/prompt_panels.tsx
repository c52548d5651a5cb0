/** What stands below the prompt: presets, adapters, wildcards, each folded until it is needed. */
import { useState } from "preact/hooks";
import { AdapterList } from "./adapter_list.tsx";
import { Icon } from "./icons.tsx";
import { PresetList } from "./preset_list.tsx";
import { promptTextsOf } from "./prompt_texts.ts";
import { useStore } from "./store.ts";
import { loraTagsIn } from "./lora_tags.ts";
import { activePresets } from "./presets_model.ts";
import { WildcardList } from "./wildcard_list.tsx";

const PANELS = ["presets", "adapters", "wildcards"] as const;
const ICONS = { presets: "cards", adapters: "layers", wildcards: "dice" } as const;

/** Tabs of which one is open, or none. */
export function PromptPanels() {
  const { language, draft } = useStore();
  const texts = promptTextsOf(language);
  const [open, setOpen] = useState<(typeof PANELS)[number] | undefined>(undefined);
  const counts = {
    presets: activePresets(draft.values).length,
    adapters: loraTagsIn(draft.prompt).length,
    wildcards: 0,
  };
  return (
    <section class="panel prompt-panels">
      <div class="panel-tabs">
        {PANELS.map((name) => (
          <button
            type="button"
            key={name}
            aria-expanded={open === name}
            aria-controls="prompt-panel-open"
            onClick={() => setOpen(open === name ? undefined : name)}
          >
            <Icon name={ICONS[name]} /> {texts[name]}
            {counts[name] > 0 && <span class="badge">{counts[name]}</span>}
          </button>
        ))}
      </div>
      <div id="prompt-panel-open" hidden={open === undefined}>
        {open === "presets" && <PresetList />}
        {open === "adapters" && <AdapterList />}
        {open === "wildcards" && <WildcardList />}
      </div>
    </section>
  );
}
