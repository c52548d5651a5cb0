/** The page: a bar, and one of three views. */
import { useEffect } from "preact/hooks";
import { cancelCurrent, draw, isOpen, watch } from "./actions.ts";
import { CardsView, IconButton } from "./cards.tsx";
import { Compare } from "./compare.tsx";
import { DropZone } from "./drop_zone.tsx";
import { mend, PromptEditor, shownEditor, watchKeys } from "./editor.tsx";
import { Gallery } from "./gallery.tsx";
import { Icon } from "./icons.tsx";
import { MachineView } from "./machine.tsx";
import { MaskEditor } from "./mask_editor.tsx";
import { PromptPanels } from "./prompt_panels.tsx";
import { promptTextsOf } from "./prompt_texts.ts";
import { SettingsForm } from "./settings_form.tsx";
import { SourcePanel } from "./source_panel.tsx";
import { Stage } from "./stage.tsx";
import {
  closeNotice,
  setDraft,
  setState,
  type Theme,
  useStore,
  type View,
  viewOf,
} from "./store.ts";
import { TemplatePreview } from "./template_preview.tsx";
import { textsOf } from "./texts.ts";
import { Viewer } from "./viewer.tsx";

const VIEWS = [["draw", "brush"], ["gallery", "grid"], ["machine", "chip"]] as const;
const NEXT_THEME = { auto: "dark", dark: "light", light: "auto" } as const;
const THEME_ICONS = { auto: "auto", dark: "moon", light: "sun" } as const;

export function App() {
  const { language, theme, view, isConnected, jobs } = useStore();
  const texts = textsOf(language);

  useEffect(() => {
    watch();
    watchKeys();
    addEventListener("hashchange", () => setState({ view: viewOf(location.hash) }));
  }, []);
  const { progress, count = 1 } = jobs.find(({ state }) => state === "drawing") ?? {};
  const done = progress && (progress.picture + progress.step / progress.steps) / count;
  const percent = done === undefined ? undefined : Math.floor(100 * done);
  useEffect(() => {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
    document.title = percent === undefined ? texts.title : `${percent} % · ${texts.title}`;
  }, [language, percent]);
  useEffect(() => {
    if (theme === "auto") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme;
  }, [theme]);

  return (
    <>
      <a class="skip" href="#main">{texts.skip}</a>
      <TopBar />
      {!isConnected && <p class="banner" role="alert">{texts.offline}</p>}
      {view === "gallery" ? <Gallery /> : view === "machine" ? <MachineView /> : <DrawView />}
      <Viewer />
      <Compare />
      <MaskEditor />
      <DropZone />
      <NoticeBar />
    </>
  );
}

function TopBar() {
  const { language, theme, view, model, settings, jobs } = useStore();
  const texts = textsOf(language);
  const open = jobs.filter(isOpen).length;
  const facts = model.state === "loaded" ? model.facts : settings?.model;
  const show = (name: View) => {
    location.hash = name === "draw" ? "" : name;
    setState({ view: name });
  };
  return (
    <header class="bar">
      <div class="brand">
        <img src="/icon.svg" alt="" width={26} height={26} />
        <span>{texts.title}</span>
      </div>
      <nav aria-label={texts.tabs}>
        {VIEWS.map(([name, icon]) => (
          <button
            type="button"
            key={name}
            aria-current={view === name ? "page" : undefined}
            onClick={() => show(name)}
          >
            <Icon name={icon} />
            <span>{texts[name]}</span>
            {name === "draw" && open > 0 && <span class="badge">{open}</span>}
          </button>
        ))}
      </nav>
      <div class="bar-end">
        <button
          type="button"
          class={`model-chip ${model.state}`}
          onClick={() => show("machine")}
          title={`${texts.model}: ${texts.modelStates[model.state]}`}
        >
          <span class="dot" aria-hidden="true" />
          <span>
            {facts == null ? texts.modelStates[model.state] : (
              <>
                <span class="model-name">{`${facts.isDemo ? texts.demo : "NewBie"} · `}</span>
                {facts.device.toUpperCase()}
              </>
            )}
          </span>
        </button>
        <button
          type="button"
          class="icon-button"
          aria-label={texts.theme[theme]}
          title={texts.theme[theme]}
          onClick={() => setState({ theme: NEXT_THEME[theme] as Theme })}
        >
          <Icon name={THEME_ICONS[theme]} />
        </button>
        <button
          type="button"
          class="button quiet language"
          title={texts.languageName}
          lang={language === "zh" ? "en" : "zh-CN"}
          onClick={() => setState({ language: language === "zh" ? "en" : "zh" })}
        >
          {texts.language}
        </button>
      </div>
    </header>
  );
}

function DrawView() {
  const { language, promptView, draft, jobs, grid } = useStore();
  const texts = textsOf(language);
  const { drawGrid } = promptTextsOf(language);
  const isBusy = jobs.some(isOpen);
  return (
    <main class="draw" id="main">
      <h1 class="visually-hidden">{texts.draw}</h1>
      <div class="desk">
        <section class="panel prompt-panel" aria-label={texts.prompt}>
          <header>
            <h2>{texts.prompt}</h2>
            <div class="switch" role="group" aria-label={texts.promptViews}>
              {(["xml", "cards"] as const).map((name) => (
                <button
                  type="button"
                  key={name}
                  aria-pressed={promptView === name}
                  onClick={() => setState({ promptView: name })}
                >
                  {texts[name]}
                </button>
              ))}
            </div>
          </header>
          {promptView === "xml" ? <PromptEditor /> : <CardsView />}
          <Meters />
          <Problems />
          <TemplatePreview />
        </section>
        <PromptPanels />
        <section class="panel negative">
          <label for="negative">{texts.negative}</label>
          <textarea
            id="negative"
            rows={2}
            spellcheck={false}
            value={draft.negative}
            onInput={(event) => setDraft({ negative: event.currentTarget.value }, false)}
          />
        </section>
        <SourcePanel />
        <SettingsForm />
        <div class="run">
          <button
            type="button"
            class="button primary"
            disabled={draft.prompt.trim() === ""}
            aria-keyshortcuts="Control+Enter"
            onClick={() => {
              void draw();
              lookAtStage();
            }}
          >
            <Icon name="brush" />{" "}
            {isBusy ? texts.queueIt : grid?.count === undefined ? texts.run : drawGrid(grid.count)}
          </button>
          {isBusy && (
            <button
              type="button"
              class="button"
              aria-keyshortcuts="Escape"
              onClick={cancelCurrent}
            >
              {texts.cancel}
            </button>
          )}
          <span class="hint shortcuts">{texts.shortcuts}</span>
        </div>
      </div>
      <Stage />
    </main>
  );
}

/** On a narrow page the picture is below the prompt. */
function lookAtStage(): void {
  if (innerWidth <= NARROW) document.querySelector(".stage")?.scrollIntoView();
}

/** How much of the prompt each encoder reads. */
function Meters() {
  const { language, lint } = useStore();
  const texts = textsOf(language);
  if (lint === undefined || lint.tokens.length === 0) return <div class="meters" />;
  return (
    <div class="meters">
      {lint.tokens.map(({ encoder, count, maxTokens }) => {
        const said = texts.tokens(encoder, count, maxTokens);
        return (
          <div class="meter" key={encoder} title={said}>
            <span>{encoder}</span>
            <meter
              min={0}
              max={maxTokens}
              high={maxTokens * 0.9}
              value={Math.min(count, maxTokens)}
              aria-label={said}
            />
            <span class={count > maxTokens ? "over" : ""}>{count}/{maxTokens}</span>
          </div>
        );
      })}
    </div>
  );
}

/** Up to so many pixels the page has one column, as page.css says. */
const NARROW = 860;
/** What a template is, the page shows below: whatever it would draw. */
const TEMPLATE = "template";

/** The same as the marks in the editor, for whoever does not see them, and in the cards. */
function Problems() {
  const { language, lint, promptView } = useStore();
  const texts = textsOf(language);
  // A card may have fields that are still to be filled.
  const diagnostics = (lint?.diagnostics ?? []).filter(({ code }) =>
    (promptView === "xml" || code !== "empty-element") && code !== TEMPLATE
  );
  const beyond = lint?.beyondTraining ?? [];
  if (diagnostics.length === 0 && beyond.length === 0) return null;
  return (
    <ul class="problems" aria-label={texts.problems} aria-live="polite">
      {diagnostics.map((diagnostic, index) => {
        const { severity, message, suggestion, offset, length, line, column, fix } = diagnostic;
        const go = () => {
          const { view } = shownEditor;
          if (view === undefined) return setState({ promptView: "xml" });
          const most = view.state.doc.length;
          const [anchor, head] = [Math.min(offset, most), Math.min(offset + length, most)];
          view.dispatch({ selection: { anchor, head }, scrollIntoView: true });
          view.focus();
        };
        return (
          <li key={index} class={severity}>
            <button type="button" class="place" onClick={go}>{texts.line(line, column)}</button>
            <span>
              {message} {suggestion ?? ""}
            </span>
            {fix !== undefined && promptView === "xml" && lint!.hasOwnPlaces && (
              <button
                type="button"
                class="button small"
                aria-label={texts.fixes(message)}
                onClick={() => shownEditor.view !== undefined && mend(shownEditor.view, diagnostic)}
              >
                {texts.fix}
              </button>
            )}
          </li>
        );
      })}
      {beyond.map((sentence) => (
        <li key={sentence} class="note">
          <span>{sentence}</span>
        </li>
      ))}
    </ul>
  );
}

function NoticeBar() {
  const { notice, language } = useStore();
  return (
    <div class="notices" role="status" aria-live="polite">
      {notice !== undefined && (
        <p class={`notice ${notice.kind}`}>
          <span>{notice.text}</span>
          {notice.action !== undefined && (
            <button
              type="button"
              class="button small"
              onClick={() => {
                closeNotice();
                notice.action!.run();
              }}
            >
              {notice.action.label}
            </button>
          )}
          {notice.kind === "error" && (
            <IconButton icon="close" label={textsOf(language).close} onClick={closeNotice} />
          )}
        </p>
      )}
    </div>
  );
}
