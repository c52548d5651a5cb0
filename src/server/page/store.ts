/** What the page knows. One value, changed in one place; whoever shows it is told. */
import { useEffect, useReducer } from "preact/hooks";
import type {
  GalleryPage,
  Job,
  Language,
  Lint,
  ModelState,
  Preview,
  Setting,
  SettingsAnswer,
  Value,
  Words,
} from "./types.ts";

export type View = "draw" | "gallery" | "machine";
export type Theme = "auto" | "light" | "dark";

/** What survives a reload. */
export interface Draft {
  readonly prompt: string;
  readonly negative: string;
  /** What was set; what is absent is left to the server. */
  readonly values: Readonly<Record<string, Value>>;
  readonly count: number;
}

export interface Notice {
  readonly text: string;
  readonly kind: "info" | "error";
  readonly action?: { readonly label: string; readonly run: () => void };
}

export interface State {
  readonly language: Language;
  readonly theme: Theme;
  readonly view: View;
  readonly promptView: "xml" | "cards";
  readonly draft: Draft;
  /** Grows whenever the draft's prompt is changed by something else than the editor. */
  readonly promptEdition: number;
  readonly settings: SettingsAnswer | undefined;
  readonly lint: Lint | undefined;
  readonly jobs: readonly Job[];
  readonly model: ModelState;
  readonly preview: Preview | undefined;
  /** The picture on the stage, by its name in the gallery. */
  readonly shown: string | undefined;
  readonly isConnected: boolean;
  readonly gallery: GalleryPage | undefined;
  readonly search: string;
  readonly notice: Notice | undefined;
}

const KEY = "newbie.studio";
export const EMPTY: Draft = { prompt: "", negative: "", values: {}, count: 1 };

function stored(): Partial<Pick<State, "language" | "theme" | "draft" | "promptView">> {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}

const kept = stored();
let state: State = {
  language: kept.language ?? (/^zh\b/i.test(navigator.language) ? "zh" : "en"),
  theme: kept.theme ?? "auto",
  view: viewOf(location.hash),
  promptView: kept.promptView ?? "xml",
  draft: { ...EMPTY, ...kept.draft },
  promptEdition: 0,
  settings: undefined,
  lint: undefined,
  jobs: [],
  model: { state: "absent" },
  preview: undefined,
  shown: undefined,
  isConnected: true,
  gallery: undefined,
  search: "",
  notice: undefined,
};
const listeners = new Set<() => void>();

/** The view that an address names. */
export function viewOf(hash: string): View {
  const name = hash.replace(/^#/, "");
  return name === "gallery" || name === "machine" ? name : "draw";
}

export function getState(): State {
  return state;
}

export function setState(change: Partial<State>): void {
  state = { ...state, ...change };
  const { language, theme, draft, promptView } = state;
  try {
    localStorage.setItem(KEY, JSON.stringify({ language, theme, draft, promptView }));
  } catch {
    // Where nothing can be kept, a reload begins anew.
  }
  for (const listener of listeners) listener();
}

export function setDraft(change: Partial<Draft>, isEdited = true): void {
  setState({
    draft: { ...state.draft, ...change },
    ...(isEdited ? { promptEdition: state.promptEdition + 1 } : {}),
  });
}

/** Sets one setting; `undefined` leaves it to the server. */
export function setValue(word: string, value: Value | undefined): void {
  const { [word]: _, ...others } = state.draft.values;
  setDraft({ values: value === undefined ? others : { ...others, [word]: value } }, false);
}

/** Whether a setting says anything: what belongs to a picture to start from does only with one. */
export function saysSomething({ group }: Setting, { image }: Words): boolean {
  return group !== "picture" || image !== undefined;
}

let noticeTimer: ReturnType<typeof setTimeout> | undefined;

export function notify(notice: Notice): void {
  setState({ notice });
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => setState({ notice: undefined }), 8000);
}

/** The state, for a component that is drawn anew whenever it changes. */
export function useStore(): State {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const listener = () => redraw(undefined);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return state;
}
