/**
 * Pictures that a person gives to start from: read, brought to a size that the model draws, and grown
 * at their edges.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { RequestError } from "../errors.ts";
import { wayFromHere } from "../files.ts";
import {
  type DecodedPicture,
  flattened,
  MAX_PIXELS,
  resizeImage,
  type RgbImage,
  WHITE,
} from "../image/mod.ts";
import type { Texts } from "../language.ts";
import { cutOut, maskedPlace, type Size, type Surroundings } from "./_masked_place.ts";
import { readPicture } from "./read_picture.ts";
import type { AskedSettings } from "../settings/mod.ts";

/** What is asked for of a source. */
export type AskedSource = NonNullable<AskedSettings["source"]>;

/** SHA-256 of the files that a picture was drawn from, in hexadecimal. */
export interface SourceHashes {
  readonly image: string;
  readonly mask?: string;
}

/** A source, ready to be drawn from. */
export interface SourcePicture {
  readonly image: RgbImage;
  /** White where it is drawn anew; absent for everywhere. */
  readonly mask?: RgbImage;
  /** The settings as the recipe keeps them: files by their name, or by their way from here. */
  readonly settings: AskedSource;
  readonly hashes: SourceHashes;
  /** What the drawn picture is put back into, where it is a part alone. */
  readonly surroundings?: Surroundings;
  /** What was made of it, for people: none where it is as it was. */
  readonly notes: readonly Texts<string>[];
}

/** What the model draws. */
export interface ModelSizes {
  /** What each side is a multiple of. */
  readonly multiple: number;
  /** Width and height that it was trained for. */
  readonly trained: number;
}

/** A picture of more than so many times as many pixels as the model was trained for is made smaller. */
const MOST_TIMES_TRAINED = 2;

/** How far what is drawn at new edges reaches into the picture, so that no seam stays: one latent. */
const OVERLAP = 8;

/** A picture with a mask of one byte a pixel, if it has one. */
interface Layers {
  readonly image: RgbImage;
  readonly mask?: RgbImage | undefined;
}

/**
 * Reads the pictures of a request.
 *
 * @param size The width and height that are asked for, where they are.
 * @throws {RequestError} When a file cannot be read or is no picture, a mask does not fit, or there is
 *   none where something needs one.
 */
export async function openSource(
  asked: AskedSource,
  size: Partial<Size>,
  { isDifferential = false, ...model }: ModelSizes & {
    /** Whether each grey of the mask counts. */
    readonly isDifferential?: boolean;
  },
): Promise<SourcePicture> {
  const { image: path, mask: maskPath, alphaMask = false, resize, expand, onlyMasked } = asked;
  if (path === undefined) throw needsImage(asked);
  const { picture, hash } = await open(path);
  const mask = maskPath === undefined ? undefined : await open(maskPath);
  const layers: Layers = {
    image: flattened(picture, WHITE),
    mask: maskOf(picture, alphaMask, path, mask && { path: maskPath!, picture: mask.picture }),
  };
  const common = {
    settings: {
      ...asked,
      image: wayFromHere(path),
      ...(maskPath === undefined ? {} : { mask: wayFromHere(maskPath) }),
    },
    hashes: { image: hash, ...(mask === undefined ? {} : { mask: mask.hash }) },
  } as const;
  if (onlyMasked !== undefined) {
    const part = maskedPart(layers, onlyMasked, size, { ...asked, ...model, isDifferential });
    if (part !== undefined) return { ...part, ...common };
  }
  const notes: Texts<string>[] = [];
  const target = targetSize(layers.image, size, resize, model);
  const sized = toSize(layers, target);
  if (!isSize(layers.image, target)) notes.push(resized(path, layers.image, target));
  const grown = expand === undefined ? sized : expanded(sized, expand, model.multiple, notes);
  return { ...grown, ...common, notes } as SourcePicture;
}

/** The place of the mask in the size that it is drawn in; undefined where the mask is black. */
function maskedPart(
  { image, mask }: Layers,
  padding: number,
  asked: Partial<Size>,
  { expand, resize, multiple, trained, isDifferential }:
    & Pick<AskedSource, "expand" | "resize">
    & ModelSizes
    & { readonly isDifferential: boolean },
): Pick<SourcePicture, "image" | "mask" | "surroundings" | "notes"> | undefined {
  const other = expand !== undefined ? "expand" : resize !== undefined ? "resize" : undefined;
  if (mask === undefined || other !== undefined) {
    throw new RequestError(
      mask === undefined ? { en: "only_masked needs a mask.", zh: "only_masked 需要蒙版。" } : {
        en: `only_masked keeps the picture's size, so ${other} says nothing with it.`,
        zh: `only_masked 保持图片的尺寸，因此 ${other} 没有意义。`,
      },
    );
  }
  const drawn = asked.width === undefined && asked.height === undefined ? undefined : {
    width: asked.width ?? asked.height!,
    height: asked.height ?? asked.width!,
  };
  const ratio = drawn && drawn.width / drawn.height;
  const place = maskedPlace(mask, padding, ratio, isDifferential);
  if (place === undefined) return undefined;
  const nearest = (side: number) => Math.max(multiple, Math.round(side / multiple) * multiple);
  const shape = Math.sqrt(place.width / place.height);
  const size = drawn ?? { width: nearest(trained * shape), height: nearest(trained / shape) };
  refuseTooLarge(size);
  const sized = (layer: RgbImage) => resizeImage(cutOut(layer, place), size);
  const [from, to] = [place, size].map(({ width, height }) => `${width}×${height}`);
  return {
    image: sized(image),
    mask: sized(mask),
    surroundings: { image, mask, place },
    notes: [{
      en:
        `The mask's place, ${from} at ${place.left},${place.top}, is drawn as ${to} and put back.`,
      zh: `蒙版所在区域（${place.left},${place.top} 处的 ${from}）按 ${to} 绘制后放回原图。`,
    }],
  };
}

/**
 * The size in which a picture will be drawn.
 *
 * @param own The picture's own size.
 * @param size The width and height that are asked for, where they are.
 * @throws {RequestError} When more than {@linkcode MAX_PIXELS} would be made of it on the way.
 */
export function sourceSize(
  own: Size,
  { resize, expand, onlyMasked }: Pick<AskedSource, "resize" | "expand" | "onlyMasked">,
  size: Partial<Size>,
  model: ModelSizes,
): Size {
  if (onlyMasked !== undefined) {
    const { width = size.height ?? model.trained, height = width } = size;
    return { width, height };
  }
  const { width, height } = targetSize(own, size, resize, model);
  return expand === undefined
    ? { width, height }
    : grownSize({ width, height }, roomOf(expand, model.multiple));
}

function needsImage(asked: AskedSource): RequestError {
  const names = {
    mask: "mask",
    alphaMask: "alpha_mask",
    onlyMasked: "only_masked",
    resize: "resize",
    expand: "expand",
  };
  const [word = "strength"] = Object.entries(names)
    .filter(([key]) => asked[key as keyof AskedSource] !== undefined).map(([, word]) => word);
  return new RequestError(`${word} needs a picture to start from: give --image FILE.`, {
    zh: `${word} 需要起点图片：请用 --image 文件 给出。`,
  });
}

async function open(path: string): Promise<{ picture: DecodedPicture; hash: string }> {
  const { bytes, picture } = await readPicture(path);
  return { picture, hash: createHash("sha256").update(bytes).digest("hex") };
}

/** Where to draw: what a mask says, or transparency, or either. */
function maskOf(
  { image, alpha }: DecodedPicture,
  alphaMask: boolean,
  path: string,
  given: { readonly path: string; readonly picture: DecodedPicture } | undefined,
): RgbImage | undefined {
  const own = given && flattened(given.picture, 0);
  if (own !== undefined && !isSize(own, image)) {
    const [size, of] = [own, image].map(({ width, height }) => `${width}×${height}`);
    throw new RequestError(
      `The mask ${given!.path} is ${size}, but ${path} is ${of}: make them of one size.`,
      { zh: `蒙版 ${given!.path} 是 ${size}，而 ${path} 是 ${of}：两者尺寸必须相同。` },
    );
  }
  if (given?.picture.alpha !== undefined && own!.data.every((value) => value === 0)) {
    throw new RequestError(
      `The mask ${given.path} is black where it is opaque, and what is transparent in a mask is kept: ` +
        "nothing would be drawn anew. Paint it white where to draw.",
      {
        zh:
          `蒙版 ${given.path} 的不透明部分全为黑色，而蒙版中透明的部分会保留：没有任何部分会重画。` +
          "请把要重画的部分涂成白色。",
      },
    );
  }
  if (!alphaMask) return own;
  if (alpha === undefined) {
    throw new RequestError(`${path} is nowhere transparent, so alpha_mask marks nothing.`, {
      zh: `${path} 没有透明的部分，alpha_mask 无从标出重画之处。`,
    });
  }
  const data = image.data.map((_, at) =>
    Math.max(own?.data[at] ?? 0, 255 - alpha[Math.floor(at / 3)]!)
  );
  return { ...image, data };
}

/** How a picture comes to a size: scaled, then cut or grown evenly at two opposite edges. */
interface Target extends Size {
  /** The size to scale to. */
  readonly scaled: Size;
}

function targetSize(
  own: Size,
  size: Partial<Size>,
  resize: AskedSource["resize"],
  model: ModelSizes,
): Target {
  const target = unboundedTarget(own, size, resize, model);
  refuseTooLarge(target);
  refuseTooLarge(target.scaled);
  return target;
}

function unboundedTarget(
  own: Size,
  { width, height }: Partial<Size>,
  resize: AskedSource["resize"],
  { multiple, trained }: ModelSizes,
): Target {
  const floor = (side: number) => Math.max(multiple, Math.floor(side / multiple) * multiple);
  const nearest = (side: number) => Math.max(multiple, Math.round(side / multiple) * multiple);
  const ratio = own.width / own.height;
  if (width === undefined && height === undefined) {
    const factor = Math.sqrt(trained ** 2 / (own.width * own.height));
    const isTooLarge = factor ** 2 < 1 / MOST_TIMES_TRAINED;
    const isTooSmall = Math.min(own.width, own.height) < multiple;
    if (!isTooLarge && !isTooSmall) {
      // As it is, but for a few pixels at its edges.
      return { width: floor(own.width), height: floor(own.height), scaled: own };
    }
    const [wide, high] = isTooLarge
      ? [own.width * factor, own.height * factor]
      : ratio > 1
      ? [multiple * ratio, multiple]
      : [multiple, multiple / ratio];
    const size = { width: nearest(wide), height: nearest(high) };
    return { ...size, scaled: size };
  }
  const asked = {
    width: width ?? nearest(height! * ratio),
    height: height ?? nearest(width! / ratio),
  };
  const isWhole = width !== undefined && height !== undefined;
  const mode = resize ?? (isWhole ? "crop" : "fit");
  const factors = [asked.width / own.width, asked.height / own.height];
  const factor = mode === "crop" ? Math.max(...factors) : Math.min(...factors);
  const scaled = {
    width: Math.max(1, Math.round(own.width * factor)),
    height: Math.max(1, Math.round(own.height * factor)),
  };
  if (mode !== "fit") return { ...asked, scaled };
  const size = {
    width: Math.min(asked.width, nearest(scaled.width)),
    height: Math.min(asked.height, nearest(scaled.height)),
  };
  return { ...size, scaled: size };
}

function refuseTooLarge({ width, height }: Size): void {
  if (width * height <= MAX_PIXELS) return;
  const size = `${width}×${height}`;
  throw new RequestError(
    `The picture to start from would become ${size} pixels; at most ${MAX_PIXELS} (such as ` +
      "8192×8192) are drawn from. Ask for a smaller size, or cut it before.",
    {
      zh: `起点图片将变为 ${size} 像素；最多 ${MAX_PIXELS} 像素（例如 8192×8192）。` +
        "请使用更小的尺寸，或先裁剪图片。",
    },
  );
}

function toSize({ image, mask }: Layers, { scaled, ...size }: Target): Layers {
  const one = (layer: RgbImage) => placed(resizeImage(layer, scaled), size);
  return { image: one(image), mask: mask && one(mask) };
}

/** A picture in the middle of another size: cut, or its edges drawn out. */
function placed(image: RgbImage, size: Size): RgbImage {
  const left = Math.floor((size.width - image.width) / 2);
  const top = Math.floor((size.height - image.height) / 2);
  return at(image, size, left, top);
}

/** The same at a place; where there is nothing, the nearest pixel stands. */
function at(image: RgbImage, size: Size, left: number, top: number): RgbImage {
  if (isSize(image, size) && left === 0 && top === 0) return image;
  const data = new Uint8ClampedArray(3 * size.width * size.height);
  for (let row = 0; row < size.height; row++) {
    const from = Math.min(image.height - 1, Math.max(0, row - top)) * image.width;
    for (let column = 0; column < size.width; column++) {
      const source = 3 * (from + Math.min(image.width - 1, Math.max(0, column - left)));
      const target = 3 * (row * size.width + column);
      data[target] = image.data[source]!;
      data[target + 1] = image.data[source + 1]!;
      data[target + 2] = image.data[source + 2]!;
    }
  }
  return { data, ...size };
}

type Edge = "left" | "right" | "top" | "bottom";

/** Pixels that are added at each edge. */
export type Room = Readonly<Record<Edge, number>>;

/** What `left=128,top=64` adds, in whole multiples. */
export function roomOf(expand: string, multiple: number): Room {
  const asked = new Map(
    expand.split(",").map((part) => {
      const [edge, pixels] = part.split("=");
      return [edge as Edge, Number(pixels)];
    }),
  );
  const room = (edge: Edge) => Math.ceil((asked.get(edge) ?? 0) / multiple) * multiple;
  return { left: room("left"), right: room("right"), top: room("top"), bottom: room("bottom") };
}

function grownSize({ width, height }: Size, { left, right, top, bottom }: Room): Size {
  const size = { width: width + left + right, height: height + top + bottom };
  refuseTooLarge(size);
  return size;
}

/** Grows a picture at its edges, and marks what is new. */
function expanded(
  { image, mask }: Layers,
  expand: string,
  multiple: number,
  notes: Texts<string>[],
): Layers {
  const room = roomOf(expand, multiple);
  const { left, top } = room;
  const size = grownSize(image, room);
  const isOld = (place: number, start: number, length: number, whole: number) => {
    const [before, after] = [start > 0 ? OVERLAP : 0, start + length < whole ? OVERLAP : 0];
    return place >= start + before && place < start + length - after;
  };
  const marked = new Uint8ClampedArray(3 * size.width * size.height).map((_, at) => {
    const pixel = Math.floor(at / 3);
    const [row, column] = [Math.floor(pixel / size.width), pixel % size.width];
    const inside = isOld(column, left, image.width, size.width) &&
      isOld(row, top, image.height, size.height);
    if (!inside) return WHITE;
    return mask?.data[3 * ((row - top) * image.width + column - left)] ?? 0;
  });
  const words = (["left", "right", "top", "bottom"] as const).filter((edge) => room[edge] > 0)
    .map((edge) => `${edge}=${room[edge]}`).join(",");
  notes.push({
    en: `The picture is expanded by ${words} to ${size.width}×${size.height}.`,
    zh: `图片向外扩展 ${words}，成为 ${size.width}×${size.height}。`,
  });
  return { image: at(image, size, left, top), mask: { data: marked, ...size } };
}

function isSize(image: Size, { width, height }: Size): boolean {
  return image.width === width && image.height === height;
}

function resized(path: string, own: Size, { scaled, width, height }: Target): Texts<string> {
  const [from, by, to] = [own, scaled, { width, height }].map((size) =>
    `${size.width}×${size.height}`
  );
  const isScaled = by !== from;
  const isCut = scaled.width > width || scaled.height > height;
  const isPadded = scaled.width < width || scaled.height < height;
  return {
    en: `${path} is ${from}: ` + [
      ...(isScaled ? [`scaled to ${by}`] : []),
      ...(isCut ? [`cut to ${to}`] : []),
      ...(isPadded ? [`padded to ${to}`] : []),
    ].join(", ") + ".",
    zh: `${path} 是 ${from}：` + [
      ...(isScaled ? [`缩放为 ${by}`] : []),
      ...(isCut ? [`裁剪为 ${to}`] : []),
      ...(isPadded ? [`延伸为 ${to}`] : []),
    ].join("，") + "。",
  };
}
