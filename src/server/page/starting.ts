/** What people do with the picture to start from, and with its mask. */
import { addressOf, api } from "./api.ts";
import type { Mask } from "./mask.ts";
import { maskPicture, type Size } from "./mask_steps.ts";
import { pictureTextsOf } from "./picture_texts.ts";
import { promptWords } from "./prompt_words.ts";
import { report } from "./report.ts";
import {
  type Draft,
  getState,
  type Missing,
  type Notice,
  notify,
  saysSomething,
  setDraft,
  setState,
  type SourceNotes,
} from "./store.ts";
import type { Value, Words } from "./types.ts";

/** What begins anew with another picture: it has another size, and what was painted on the old one. */
const OF_THE_OLD_PICTURE = ["width", "height", "expand", "alpha_mask"];

function texts() {
  return pictureTextsOf(getState().language);
}

/** What can be a picture, by its name or kind; the server looks at what is in it. */
export function isPicture({ type, name }: File): boolean {
  return type.startsWith("image/") || /\.(png|jpe?g|webp|avif)$/i.test(name);
}

/** Starts from a file: gives it to the server, and waits for it. */
export async function startFromFile(file: File): Promise<void> {
  if (!isPicture(file)) {
    return notify({ text: texts().isNoPicture(file.name || "…"), kind: "error" });
  }
  setState({ isGiving: true });
  try {
    const { name, width, height, isTransparent } = await api.give(file);
    const hash = missingOf("image")?.hash;
    const keeping = startFrom(name, { title: file.name, width, height, isTransparent });
    if (hash !== undefined) sayWhetherSame(name, hash);
    else offer(keeping);
  } catch (error) {
    report(error);
  } finally {
    setState({ isGiving: false });
  }
}

/** Starts from a picture of the gallery. */
export async function startFromGallery(name: string): Promise<void> {
  try {
    offer(startFrom(name, await lookAt(name)));
  } catch (error) {
    report(error);
  }
}

/** Offers what can be done about a picture that was taken. */
function offer(action: Notice["action"]): void {
  if (action !== undefined) notify({ text: texts().taken, kind: "info", action });
}

/** Starts from a picture; gives the way back to the mask, where the new picture is as large as the old. */
function startFrom(name: string, source: SourceNotes): Notice["action"] {
  const { draft } = getState();
  const { values, mask, missing = [] } = draft;
  const isExpected = missingOf("image") !== undefined;
  const rest = missing.filter(({ what }) => what !== "image");
  const kept = isExpected ? values : Object.fromEntries(
    Object.entries(values).filter(([word]) => !OF_THE_OLD_PICTURE.includes(word)),
  );
  const isSize = draft.source?.width === source.width && draft.source.height === source.height;
  setDraft({
    values: { ...kept, image: name },
    source,
    mask: isExpected ? mask : undefined,
    missing: rest.length === 0 ? undefined : rest,
  }, false);
  setState({ view: "draw" });
  if (location.hash !== "") location.hash = "";
  // The view is drawn first.
  setTimeout(() => document.querySelector(".source")?.scrollIntoView({ block: "nearest" }));
  return mask !== undefined && isSize && !isExpected
    ? { label: texts().keepMask, run: () => setDraft({ mask }, false) }
    : undefined;
}

/** Goes on from noise. What was set for a picture stays, and counts with the next one. */
export function withoutPicture(): void {
  const { image: _, expand: _expand, ...values } = getState().draft.values;
  setDraft({ values, source: undefined, mask: undefined, missing: undefined }, false);
}

export function missingOf(what: Missing["what"]): Missing | undefined {
  return getState().draft.missing?.find((one) => one.what === what);
}

/** Goes on without what is gone. */
export function goOnWithout(what: Missing["what"]): void {
  const missing = getState().draft.missing?.filter((one) => one.what !== what) ?? [];
  const isAlone = what === "image";
  setDraft({ missing: isAlone || missing.length === 0 ? undefined : missing }, false);
}

/** Takes a file as the mask. */
export async function giveMask(file: File): Promise<void> {
  if (!isPicture(file)) {
    return notify({ text: texts().isNoPicture(file.name || "…"), kind: "error" });
  }
  try {
    const { source = await sourceNotes(), missing = [] } = getState().draft;
    const given = await api.give(file);
    if (given.width !== source.width || given.height !== source.height) {
      const [own, of] = [given, source].map(({ width, height }) => texts().pixels(width, height));
      return notify({ text: texts().maskSize(own!, of!), kind: "error" });
    }
    const hash = missingOf("mask")?.hash;
    const rest = missing.filter(({ what }) => what !== "mask");
    setDraft({
      mask: { base: given.name, steps: [] },
      missing: rest.length === 0 ? undefined : rest,
    }, false);
    if (hash !== undefined) sayWhetherSame(given.name, hash);
  } catch (error) {
    report(error);
  }
}

/** What was given is called by what is in it. */
function sayWhetherSame(name: string, hash: string): void {
  const isSame = name.includes(hash);
  notify({ text: isSame ? texts().isSame : texts().isOther, kind: "info" });
}

/** Looks whether a picture of the draft is gone, where it could not be shown; a server that is silent has it still. */
export async function lookForGone(what: Missing["what"], name: string): Promise<void> {
  const { status } = await fetch(addressOf.picture(name)).catch(() => ({ status: 0 }));
  const { draft } = getState();
  const { image, ...values } = draft.values;
  const isAsked = what === "image" ? image === name : draft.mask?.base === name;
  if (status !== 404 || !isAsked) return;
  // What was given is called by what is in it.
  const [, hash] = /^\.given\/([0-9a-f]{64})\./.exec(name) ?? [];
  const missing = [...draft.missing ?? [], { what, hash }];
  if (what === "image") return setDraft({ values, source: undefined, missing }, false);
  const { steps } = draft.mask!;
  setDraft({ mask: steps.length === 0 ? undefined : { steps }, missing }, false);
}

/** Changes the mask; undefined takes it away. */
export function setMask(mask: Mask | undefined): void {
  const { missing = [] } = getState().draft;
  const rest = missing.filter(({ what }) => what !== "mask");
  setDraft({ mask, missing: rest.length === 0 ? undefined : rest }, false);
}

/** Looks at a picture of the server. */
async function lookAt(name: string): Promise<SourceNotes> {
  const { width, height } = await sizeOf(addressOf.picture(name));
  return { title: name.split("/").at(-1)!, width, height };
}

/** How large a picture is, as it is shown. */
export async function sizeOf(address: string): Promise<Size> {
  const image = new Image();
  image.src = address;
  await image.decode();
  return { width: image.naturalWidth, height: image.naturalHeight };
}

/**
 * What is known of the picture to start from; looked at where that is nothing yet.
 *
 * @throws {Error} When it is gone.
 */
export async function sourceNotes(): Promise<SourceNotes> {
  const { source, values } = getState().draft;
  if (source !== undefined) return source;
  const notes = await lookAt(String(values["image"]));
  if (getState().draft.values["image"] === values["image"]) setDraft({ source: notes }, false);
  return notes;
}

/** The words that a draft asks with; its mask is given to the server first. */
export async function wordsOf(draft: Draft): Promise<Words> {
  const { prompt, negative, values } = draft;
  const mask = await givenMask(draft);
  const words = sayingSomething({ values, mask: mask === undefined ? undefined : draft.mask });
  return {
    ...words,
    ...(mask === undefined ? {} : { mask }),
    prompt,
    ...(negative === "" ? {} : { negative_prompt: negative }),
    ...promptWords(draft),
  };
}

async function givenMask({ values, mask }: Draft): Promise<string | undefined> {
  if (mask === undefined || values["image"] === undefined) return undefined;
  if (mask.steps.length === 0) return mask.base;
  const hasGreys = values["differential_mask"] === true;
  const picture = await maskPicture(mask, await sourceNotes(), { hasGreys });
  return picture && (await api.give(picture)).name;
}

function sayingSomething(draft: Pick<Draft, "values" | "mask">): Readonly<Record<string, Value>> {
  const known = getState().settings?.settings ?? [];
  return Object.fromEntries(
    Object.entries(draft.values).filter(([word]) => {
      const setting = known.find((one) => one.word === word);
      return setting === undefined || saysSomething(setting, draft);
    }),
  );
}
