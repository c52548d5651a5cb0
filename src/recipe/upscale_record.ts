/**
 * What `upscale` writes into a picture: that it is a larger one of another, and how it became so. The
 * recipe and all other notes of the other picture stay as they are.
 *
 * @module
 */
import * as z from "zod";
import { readPictureText } from "../image/mod.ts";
import { PARAMETERS_KEYWORD } from "./_parameters.ts";
import type { RecipeVersions } from "./types.ts";

/** The keyword of the text: JSON of a version and of records, the last one last. */
const UPSCALE_KEYWORD = "newbie-upscale";
const VERSION = 1;

/** What AUTOMATIC1111's web UI writes of the same, for viewers. */
const POSTPROCESSING_KEYWORD = "postprocessing";

/** How a picture became larger. */
export interface UpscaleRecord {
  /** The file that it was made of. */
  readonly image: {
    readonly name: string;
    /** 64 hexadecimal digits. */
    readonly sha256: string;
    readonly width: number;
    readonly height: number;
  };
  /** How many times as wide and high it became. */
  readonly scale: number;
  /** The network; absent where Lanczos' filter did it alone. */
  readonly upscaler?: {
    readonly name: string;
    readonly sha256: string;
    /** How many times the network enlarges; a filter brought that to size. */
    readonly scale: number;
    /** The side of a tile in pixels of what it makes. */
    readonly tileSize: number;
    /** Where it ran, and with which arithmetic. */
    readonly provider: string;
    readonly dtype: string;
  };
  readonly versions: RecipeVersions;
}

const name = z.string().min(1);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const side = z.int().min(1);
const schema = z.object({
  version: z.literal(VERSION),
  records: z.array(z.object({
    image: z.object({ name, sha256, width: side, height: side }),
    scale: z.number().positive(),
    upscaler: z.object({
      name,
      sha256,
      scale: z.number().positive(),
      tileSize: side,
      provider: name,
      dtype: name,
    }).exactOptional(),
    versions: z.object({ toolkit: name, deno: name, onnxruntime: name }),
  })),
});

/**
 * What says of a picture that it was enlarged, the earliest first; none where nothing does.
 *
 * @param source The bytes of a picture, or its texts by keyword.
 * @throws {ImageError} When the bytes are no picture.
 */
export function readUpscaleRecords(
  source: Uint8Array | Readonly<Record<string, string>>,
): readonly UpscaleRecord[] {
  const text = source instanceof Uint8Array ? readPictureText(source).text : source;
  try {
    return schema.parse(JSON.parse(text[UPSCALE_KEYWORD] ?? "")).records;
  } catch {
    // Whatever stands there, the picture is one.
    return [];
  }
}

/**
 * The texts of an enlarged picture: those of the picture that it was made of, and how.
 *
 * @param kept The other picture's texts by keyword, as `readPictureText` gives them.
 */
export function upscaledTexts(
  kept: Readonly<Record<string, string>>,
  record: UpscaleRecord,
): Record<string, string> {
  const { "exif:UserComment": comment, ...texts } = kept;
  // EXIF and XMP have keywords of their own; of theirs, the web UI's text alone is used.
  const own = Object.entries(texts).filter(([keyword, text]) =>
    !/^(?:exif:|xmp:|XML:)/.test(keyword) && !text.includes("\0")
  );
  const { scale, upscaler } = record;
  return {
    ...(comment === undefined || comment.includes("\0") ? {} : { [PARAMETERS_KEYWORD]: comment }),
    ...Object.fromEntries(own),
    [POSTPROCESSING_KEYWORD]: `Postprocess upscale by: ${scale}, Postprocess upscaler: ${
      upscaler?.name ?? "Lanczos"
    }`,
    [UPSCALE_KEYWORD]: JSON.stringify({
      version: VERSION,
      records: [...readUpscaleRecords(kept), record],
    }),
  };
}
