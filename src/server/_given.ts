/** Pictures that a request gives to start from. */
import { RequestError } from "../errors.ts";
import { readIfThere } from "../files.ts";
import type { PictureMeasure } from "../studio/picture_thread.ts";
import type { AskedSource } from "../studio/source_picture.ts";
import type { ServerContext } from "./types.ts";

/** A request's pictures as files, and how large the picture is. */
export interface OpenedSource {
  readonly source: AskedSource;
  /** Of the picture to start from; absent where none was given. */
  readonly measure?: PictureMeasure;
}

const LONGEST_SHOWN = 80;

/**
 * Finds the pictures of a request: each is named as the gallery names it or as it was named when it
 * was given, or stands there itself as `data:image/png;base64,…`. Nothing else is a file.
 *
 * @throws {RequestError} When one is not there, or the mask has another size.
 * @throws {ImageError} When one cannot be decoded.
 */
export async function openGiven(server: ServerContext, asked: AskedSource): Promise<OpenedSource> {
  const { image, mask, ...rest } = asked;
  const opened = image === undefined ? undefined : await open(server, "image", image);
  const openedMask = mask === undefined ? undefined : await open(server, "mask", mask);
  if (opened !== undefined && openedMask !== undefined) {
    const [own, other] = [opened.measure, openedMask.measure].map(({ width, height }) =>
      `${width}×${height}`
    );
    if (own !== other) {
      throw new RequestError({
        en: `The mask is ${other}, but the picture is ${own}: make them of one size.`,
        zh: `蒙版是 ${other}，而图片是 ${own}：两者尺寸必须相同。`,
      });
    }
  }
  return {
    source: {
      ...rest,
      ...(opened === undefined ? {} : { image: opened.path }),
      ...(openedMask === undefined ? {} : { mask: openedMask.path }),
    },
    ...(opened === undefined ? {} : { measure: opened.measure }),
  };
}

async function open(
  { gallery, given, thread }: ServerContext,
  word: string,
  said: string,
): Promise<{ readonly path: string; readonly measure: PictureMeasure }> {
  const kept = said.startsWith("data:") ? await given.keep(decodeDataUrl(word, said)) : undefined;
  const name = kept?.name ?? said;
  const path = await given.pathOf(name) ?? await gallery.pathOf(name);
  // It may go at any time.
  const bytes = path === undefined ? undefined : await readIfThere(path);
  if (path === undefined || bytes === undefined) {
    const shown = JSON.stringify(said.slice(0, LONGEST_SHOWN));
    throw new RequestError({
      en:
        `${word} is ${shown}, and there is no picture of that name: expected one of the gallery, ` +
        "one that POST /api/pictures gave, or data:image/png;base64,…",
      zh: `${word} 是 ${shown}，但没有这个名称的图片：应为图库中的图片、` +
        "POST /api/pictures 返回的名称，或 data:image/png;base64,…",
    });
  }
  return { path, measure: kept ?? await thread.measure(bytes) };
}

function decodeDataUrl(word: string, url: string): Uint8Array<ArrayBuffer> {
  const [head = ""] = /^data:[^,]*;base64,/.exec(url.slice(0, LONGEST_SHOWN)) ?? [];
  try {
    if (head !== "") return Uint8Array.fromBase64(url.slice(head.length));
  } catch {
    // Told below.
  }
  throw new RequestError({
    en: `${word} is no data:image/png;base64,… with whole base64 in it.`,
    zh: `${word} 不是完整的 data:image/png;base64,…。`,
  });
}
