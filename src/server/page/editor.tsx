/**
 * The editor of prompts: CodeMirror with XML, our diagnostics and their fixes, completion by the
 * server. It lives in a shadow root, where its styles need nothing that the page's policy forbids.
 */
import { autocompletion, type CompletionContext, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { xmlLanguage } from "@codemirror/lang-xml";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import {
  type Diagnostic as Shown,
  forceLinting,
  linter,
  lintGutter,
  lintKeymap,
} from "@codemirror/lint";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, keymap, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "preact/hooks";
import { cancelCurrent, draw } from "./actions.ts";
import { api } from "./api.ts";
import { getState, setDraft, setState, useStore } from "./store.ts";
import { promptTextsOf } from "./prompt_texts.ts";
import { textsOf } from "./texts.ts";
import type { Diagnostic, Lint } from "./types.ts";

const LINT_DELAY = 250;

const look = EditorView.theme({
  "&": {
    color: "var(--text)",
    backgroundColor: "transparent",
    fontSize: "14px",
    height: "100%",
  },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": {
    fontFamily: "var(--mono)",
    lineHeight: "1.65",
    overflow: "auto",
  },
  ".cm-content": { padding: "12px 12px 12px 4px", caretColor: "var(--accent)" },
  ".cm-gutters": { backgroundColor: "transparent", border: "none", width: "18px" },
  ".cm-gutter-lint": { width: "16px" },
  ".cm-gutter-lint .cm-gutterElement": { padding: "4px 0 0 3px" },
  ".cm-lint-marker": { width: "10px", height: "10px" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground":
    { backgroundColor: "var(--selection)" },
  ".cm-placeholder": { color: "var(--muted)" },
  ".cm-tooltip": {
    backgroundColor: "var(--raised)",
    color: "var(--text)",
    border: "1px solid var(--line-strong)",
    borderRadius: "8px",
    boxShadow: "var(--shadow)",
    overflow: "hidden",
    maxWidth: "min(440px, 90vw)",
    fontFamily: "var(--sans)",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "240px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "4px 10px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": {
    backgroundColor: "var(--accent)",
    color: "var(--on-accent)",
  },
  ".cm-diagnostic": {
    padding: "8px 12px",
    borderLeft: "3px solid var(--warning)",
    fontSize: "13px",
    lineHeight: "1.5",
    whiteSpace: "pre-wrap",
  },
  ".cm-diagnostic-error": { borderLeftColor: "var(--danger)" },
  ".cm-diagnosticAction": {
    backgroundColor: "var(--accent)",
    color: "var(--on-accent)",
    font: "inherit",
    borderRadius: "6px",
    padding: "2px 10px",
    marginLeft: "10px",
  },
  ".cm-lintRange-error": {
    textDecoration: "underline wavy var(--danger) 1px",
    backgroundImage: "none",
  },
  ".cm-lintRange-warning": {
    textDecoration: "underline wavy var(--warning) 1px",
    backgroundImage: "none",
  },
});

const colors = HighlightStyle.define([
  { tag: tags.tagName, color: "var(--syntax-tag)" },
  { tag: tags.angleBracket, color: "var(--muted)" },
  { tag: tags.attributeName, color: "var(--syntax-name)" },
  { tag: tags.attributeValue, color: "var(--syntax-value)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: tags.character, color: "var(--syntax-value)" },
]);

let linting: ReturnType<typeof setTimeout> | undefined;

/** Has the prompt linted that something else than the editor changed; the editor does so by itself. */
export function lintSoon(): void {
  if (shownEditor.view !== undefined) return;
  clearTimeout(linting);
  linting = setTimeout(() => void lintPrompt(getState().draft.prompt), LINT_DELAY);
}

/** The field of a card that was written into last. */
export const lastField: { element: HTMLInputElement | undefined } = { element: undefined };

/** Puts something into the prompt where the cursor is or was, with commas between it and its neighbours. */
export function insertIntoPrompt(text: string): void {
  const { view } = shownEditor;
  if (view !== undefined) {
    const { from, to } = view.state.selection.main;
    const insert = between(view.state.sliceDoc(0, from), text, view.state.sliceDoc(to));
    view.dispatch({
      changes: { from, to, insert },
      selection: { anchor: from + insert.length },
      userEvent: "input",
    });
    return view.focus();
  }
  const field = lastField.element;
  if (field?.isConnected) {
    const [from, to] = [field.selectionStart ?? 0, field.selectionEnd ?? 0];
    const insert = between(field.value.slice(0, from), text, field.value.slice(to));
    field.setRangeText(insert, from, to, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    return field.focus();
  }
  const { prompt } = getState().draft;
  setDraft({ prompt: prompt + between(prompt, text, "") });
  lintSoon();
}

function between(before: string, text: string, after: string): string {
  const needsBefore = /[^\s,，>{|]\s*$/.test(before);
  const needsAfter = /^\s*[^\s,，<}|]/.test(after);
  return `${needsBefore ? (/\s$/.test(before) ? "" : ", ") : ""}${text}${needsAfter ? ", " : ""}`;
}

/** The changes of a diagnostic's fix, applied to an editor. */
export function mend(view: EditorView, { fix = [] }: Diagnostic): void {
  view.dispatch({
    changes: fix.map(({ offset, length, text }) => ({
      from: offset,
      to: offset + length,
      insert: text,
    })),
    userEvent: "input.fix",
  });
  view.focus();
}

/** The editor that is on the page, for whoever wants to put the cursor somewhere. */
export const shownEditor: { view: EditorView | undefined } = { view: undefined };

let asked: AbortController | undefined;

/** Asks the server what is wrong with the prompt, and remembers it. */
export async function lintPrompt(prompt: string): Promise<Lint | undefined> {
  asked?.abort();
  asked = new AbortController();
  const { width, height } = getState().draft.values;
  try {
    const lint = await api.lint(prompt, {
      ...(typeof width === "number" ? { width } : {}),
      ...(typeof height === "number" ? { height } : {}),
    }, asked.signal);
    setState({ lint });
    return lint;
  } catch {
    return undefined;
  }
}

const source = async (view: EditorView): Promise<Shown[]> => {
  const prompt = view.state.doc.toString();
  const lint = await lintPrompt(prompt);
  if (lint === undefined || !lint.hasOwnPlaces) return [];
  const { fix: label } = textsOf(getState().language);
  const most = prompt.length;
  // What it would draw is shown below.
  const shown = lint.diagnostics.filter(({ code }) => code !== "template");
  return shown.map((diagnostic) => {
    const { offset, length, severity, message, suggestion } = diagnostic;
    return {
      from: Math.min(offset, most),
      to: Math.min(offset + length, most),
      severity,
      message: suggestion === undefined ? message : `${message}\n${suggestion}`,
      actions: diagnostic.fix === undefined ? [] : [{
        name: label,
        apply: (view) => mend(view, diagnostic),
      }],
    };
  });
};

async function complete(context: CompletionContext) {
  const prompt = context.state.doc.toString();
  try {
    const { from, options } = await api.complete(prompt, context.pos);
    // Behind `<lora:` and `__` nothing has to be typed yet.
    const isNamed = options[0]?.kind === "adapter" || options[0]?.kind === "wildcard";
    const isAsked = context.explicit || from < context.pos || isNamed;
    if (options.length === 0 || !isAsked) return null;
    const { adapters, wildcards } = promptTextsOf(getState().language);
    const details: Readonly<Record<string, string>> = { adapter: adapters, wildcard: wildcards };
    return {
      from,
      options: options.map(({ text, kind }) => ({
        label: text,
        type: kind,
        ...(details[kind] === undefined ? {} : { detail: details[kind] }),
      })),
    };
  } catch {
    return null;
  }
}

function keys(): Extension {
  return keymap.of([
    { key: "Mod-Enter", run: () => (void draw(), true) },
    ...completionKeymap,
    ...lintKeymap,
    ...historyKeymap,
    ...defaultKeymap,
  ]);
}

/** The editor of the draft's prompt. */
export function PromptEditor() {
  const { language, promptEdition } = useStore();
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<EditorView | undefined>(undefined);
  const words = useRef(new Compartment());
  const edition = useRef(promptEdition);

  useEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: "open" });
    const texts = textsOf(getState().language);
    const view = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: getState().draft.prompt,
        extensions: [
          history(),
          drawSelection(),
          EditorView.lineWrapping,
          xmlLanguage,
          syntaxHighlighting(colors),
          look,
          lintGutter(),
          linter(source, { delay: LINT_DELAY }),
          autocompletion({ override: [complete], icons: false }),
          keys(),
          words.current.of(wordsOf(texts)),
          EditorView.updateListener.of((update) => {
            if (!update.docChanged || isOurs) return;
            setDraft({ prompt: update.state.doc.toString() }, false);
          }),
        ],
      }),
    });
    let isOurs = false;
    editor.current = view;
    shownEditor.view = view;
    replace.current = (prompt) => {
      isOurs = true;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: prompt } });
      isOurs = false;
    };
    // Without a prompt the meters are shown, too.
    forceLinting(view);
    return () => {
      view.destroy();
      shownEditor.view = undefined;
    };
  }, []);

  const replace = useRef<(prompt: string) => void>(() => {});

  useEffect(() => {
    if (edition.current === promptEdition) return;
    edition.current = promptEdition;
    const { prompt } = getState().draft;
    if (editor.current?.state.doc.toString() !== prompt) replace.current(prompt);
  }, [promptEdition]);

  useEffect(() => {
    const view = editor.current;
    if (view === undefined) return;
    view.dispatch({ effects: words.current.reconfigure(wordsOf(textsOf(language))) });
    // The messages are in the server's answer, so they have to be asked for again.
    void source(view).then(() => forceLinting(view));
  }, [language]);

  return <div class="editor" ref={host} />;
}

function wordsOf({ prompt, promptHint }: ReturnType<typeof textsOf>): Extension {
  return [
    placeholder(promptHint),
    EditorView.contentAttributes.of({ "aria-label": prompt, spellcheck: "false" }),
  ];
}

/** Whether Esc empties a field in which something is looked for. */
function clearsSearch({ target }: KeyboardEvent): boolean {
  return target instanceof HTMLInputElement && target.type === "search" && target.value !== "";
}

/** Esc cancels, wherever the focus is, but not while it closes something. */
export function watchKeys(): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void draw();
    } else if (
      event.key === "Escape" && !clearsSearch(event) &&
      document.querySelector("dialog[open]") === null
    ) {
      const root = shownEditor.view?.dom.getRootNode() as ShadowRoot | undefined;
      if (root?.querySelector(".cm-tooltip-autocomplete") == null) cancelCurrent();
    }
  });
}
