/** What the page knows. One value, changed in one place; whoever shows it is told. */
import { useEffect, useReducer } from "preact/hooks";
import type { Mask } from "./mask.ts";
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
} from "./types.ts";

export type View = "draw" | "gallery" | "machine";
export type GalleryFilter = "all" | "favourites" | "bin";
export type Theme = "auto" | "light" | "dark";

/** An axis as somebody filled it in. */
export interface AxisDraft {
  /** What a request calls the setting; empty for none. */
  readonly word: string;
  readonly values: string;
}

/** What survives a reload. */
export interface Draft {
  readonly prompt: string;
  readonly negative: string;
  /** What was set; what is absent is left to the server. `image` names the picture to start from. */
  readonly values: Readonly<Record<string, Value>>;
  readonly count: number;
  /** The axes of a grid of pictures, drawn instead of `count` pictures. */
  readonly grid?: readonly AxisDraft[] | undefined;
  /** What is known of the picture to start from; absent until it was looked at. */
  readonly source?: SourceNotes | undefined;
  /** Where the picture to start from is drawn anew; absent for everywhere. */
  readonly mask?: Mask | undefined;
  /** What the settings were taken over without, because it is gone. */
  readonly missing?: readonly Missing[] | undefined;
}

/** The picture to start from, for people. */
export interface SourceNotes {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly isTransparent?: boolean;
}

/** A picture that a recipe names, and that is not here. */
export interface Missing {
  readonly what: "image" | "mask";
  /** The SHA-256 of its file, where the recipe says it. */
  readonly hash?: string | undefined;
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
  /** Whether a picture is on its way to the server. */
  readonly isGiving: boolean;
  readonly gallery: GalleryPage | undefined;
  readonly search: string;
  readonly galleryFilter: GalleryFilter;
  /** How many pictures the draft's grid has, or what is wrong with it. */
  readonly grid: { readonly count?: number; readonly problem?: string } | undefined;
  readonly notice: Notice | undefined;
}

const KEY = "newbie.studio";
/** Masks may be too large to be kept; then all else still is. */
const MASK_KEY = "newbie.studio.mask";
export const EMPTY: Draft = { prompt: "", negative: "", values: {}, count: 1 };

/** What was kept: of this page, before a reload; or else of whichever was written in last. */
function stored(key: string, isOwn: boolean) {
  try {
    const own = isOwn ? sessionStorage.getItem(key) : null;
    return JSON.parse(own ?? localStorage.getItem(key) ?? "{}");
  } catch {
    return {};
  }
}

type Kept = Partial<Pick<State, "language" | "theme" | "draft" | "promptView">>;
const kept: Kept = stored(KEY, false);
const { draft: keptDraft }: Kept = stored(KEY, true);
const { mask: keptMask }: { mask?: Mask } = stored(MASK_KEY, true);
let state: State = {
  language: kept.language ?? (/^zh\b/i.test(navigator.language) ? "zh" : "en"),
  theme: kept.theme ?? "auto",
  view: viewOf(location.hash),
  promptView: kept.promptView ?? "xml",
  draft: { ...EMPTY, ...keptDraft, mask: keptMask },
  promptEdition: 0,
  settings: undefined,
  lint: undefined,
  jobs: [],
  model: { state: "absent" },
  preview: undefined,
  shown: undefined,
  isConnected: true,
  isGiving: false,
  gallery: undefined,
  search: "",
  galleryFilter: "all",
  grid: undefined,
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
  const before = state;
  state = { ...state, ...change };
  const { language, theme, promptView, draft: { mask, ...draft } } = state;
  const isSame = (["language", "theme", "promptView", "draft"] as const)
    .every((name) => state[name] === before[name]);
  // What happens elsewhere must not put this page's prompt over another page's.
  if (!isSame) keep(KEY, { language, theme, draft, promptView });
  if (mask !== before.draft.mask) keep(MASK_KEY, { mask });
  for (const listener of listeners) listener();
}

function keep(key: string, value: object): void {
  const text = JSON.stringify(value);
  for (const storage of ["sessionStorage", "localStorage"] as const) {
    try {
      globalThis[storage].setItem(key, text);
    } catch {
      // Where nothing can be kept, a reload begins anew.
    }
  }
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

/** What of a draft says where and how to draw from a picture. */
type Started = Pick<Draft, "values" | "mask">;

/** Whether anything but the whole picture is drawn anew. */
function hasMask({ values, mask }: Started): boolean {
  return mask !== undefined || values["alpha_mask"] === true;
}

/** Whether a setting says anything: much of it does only with a picture to start from, or with a mask. */
export function saysSomething({ word, group }: Setting, draft: Started): boolean {
  const { image, expand } = draft.values;
  if (group !== "picture" && group !== "mask") return true;
  if (image === undefined) return false;
  if (group === "picture") return true;
  return word === "only_masked"
    ? hasMask(draft) && expand === undefined
    : hasMask(draft) || expand !== undefined;
}

let noticeTimer: ReturnType<typeof setTimeout> | undefined;

/** Shows a notice; an error stays until somebody closes it, or something else is told or drawn. */
export function notify(notice: Notice): void {
  setState({ notice });
  clearTimeout(noticeTimer);
  if (notice.kind === "info") noticeTimer = setTimeout(closeNotice, 8000);
}

export function closeNotice(): void {
  setState({ notice: undefined });
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
