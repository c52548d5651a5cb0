/** A mask's steps, replayed on a canvas of any size. */
import { addressOf } from "./api.ts";
import type { Mask, MaskStep } from "./mask.ts";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The colour of a mask on its picture. */
export const MASK_COLOUR = "#ff3d81";
/** Numbers of one point. */
const PARTS = 3;
/** Canvases larger than this are not to be had on phones. */
const MOST_PIXELS = 4_194_304;

/** How much smaller than the picture a canvas is, so that it can be had. */
export function canvasScale({ width, height }: Size, most = MOST_PIXELS): number {
  return Math.min(1, Math.sqrt(most / (width * height)));
}

/** A canvas whose units are the picture's pixels. */
export function fitCanvas(canvas: HTMLCanvasElement, size: Size, scale: number): void {
  canvas.width = Math.max(1, Math.round(size.width * scale));
  canvas.height = Math.max(1, Math.round(size.height * scale));
  contextOf(canvas).setTransform(
    canvas.width / size.width,
    0,
    0,
    canvas.height / size.height,
    0,
    0,
  );
}

export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  return canvas.getContext("2d")!;
}

/** Draws the point of a stroke at an index, from the one before it: a curve through the middles. */
export function drawPoint(
  context: CanvasRenderingContext2D,
  { kind, points }: Extract<MaskStep, { points: unknown }>,
  index: number,
): void {
  const at = (place: number) => points.slice(PARTS * place, PARTS * place + PARTS) as Point;
  const [x, y, width] = at(index);
  context.globalCompositeOperation = kind === "paint" ? "source-over" : "destination-out";
  context.lineWidth = width;
  context.lineCap = "round";
  context.lineJoin = "round";
  context.beginPath();
  if (index === 0) {
    context.arc(x, y, width / 2, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  const before = at(index - 1);
  const end = middle(before, [x, y, width]);
  if (index === 1) {
    context.moveTo(before[0], before[1]);
    context.lineTo(...end);
  } else {
    context.moveTo(...middle(at(index - 2), before));
    context.quadraticCurveTo(before[0], before[1], ...end);
  }
  context.stroke();
}

/** Draws the last half of a stroke, which waited for another point. */
export function finishStroke(
  context: CanvasRenderingContext2D,
  { points }: Extract<MaskStep, { points: unknown }>,
): void {
  const [x, y] = points.slice(-PARTS) as Point;
  if (points.length < 2 * PARTS) return;
  context.beginPath();
  context.moveTo(...middle(points.slice(-2 * PARTS) as Point, [x, y, 0]));
  context.lineTo(x, y);
  context.stroke();
}

type Point = [x: number, y: number, width: number];

function middle([x, y]: Point, [otherX, otherY]: Point): [number, number] {
  return [(x + otherX) / 2, (y + otherY) / 2];
}

/** Does a step on a canvas. */
export function play(context: CanvasRenderingContext2D, step: MaskStep, { width, height }: Size) {
  switch (step.kind) {
    case "paint":
    case "erase":
      for (let index = 0; PARTS * index < step.points.length; index++) {
        drawPoint(context, step, index);
      }
      return finishStroke(context, step);
    case "invert":
      context.globalCompositeOperation = "source-out";
      return context.fillRect(0, 0, width, height);
    case "clear":
      return context.clearRect(0, 0, width, height);
  }
}

/**
 * Does all steps of a mask on an empty canvas, in a colour; see-through where nothing is drawn anew.
 *
 * @param base What {@linkcode loadBase} made of the mask's base.
 */
export function replay(
  canvas: HTMLCanvasElement,
  { steps }: Mask,
  { base, size, colour }: {
    readonly base: HTMLCanvasElement | undefined;
    readonly size: Size;
    readonly colour: string;
  },
): void {
  const context = contextOf(canvas);
  const { width, height } = size;
  context.clearRect(0, 0, width, height);
  context.fillStyle = colour;
  context.strokeStyle = colour;
  if (base !== undefined) {
    context.globalCompositeOperation = "source-over";
    context.drawImage(base, 0, 0, width, height);
    context.globalCompositeOperation = "source-in";
    context.fillRect(0, 0, width, height);
  }
  // What was before the last clearing is not seen.
  const cleared = steps.findLastIndex(({ kind }) => kind === "clear");
  for (const step of steps.slice(Math.max(0, cleared))) play(context, step, size);
}

let latest: { readonly name: string; readonly base: Promise<HTMLCanvasElement> } | undefined;

/** A mask of the server as a canvas: opaque where it is white. The last one is remembered. */
export function loadBase(name: string): Promise<HTMLCanvasElement> {
  if (latest?.name === name) return latest.base;
  const base = readBase(name);
  latest = { name, base };
  base.catch(() => latest = undefined);
  return base;
}

async function readBase(name: string): Promise<HTMLCanvasElement> {
  const response = await fetch(addressOf.picture(name));
  if (!response.ok) throw new Error(response.statusText);
  const bitmap = await createImageBitmap(await response.blob());
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = contextOf(canvas);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < pixels.data.length; at += 4) {
    pixels.data[at + 3] = pixels.data[at]! * pixels.data[at + 3]! / 255;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/**
 * A mask as a picture of the size of the one that it belongs to: white over black, as PNG.
 *
 * @param options `hasGreys`: whether each grey counts, and not only what is nearer to white.
 * @returns Undefined where all of it is black.
 */
export async function maskPicture(
  mask: Mask,
  size: Size,
  { hasGreys = false }: { readonly hasGreys?: boolean } = {},
): Promise<Blob | undefined> {
  const canvas = document.createElement("canvas");
  fitCanvas(canvas, size, 1);
  const base = mask.base === undefined ? undefined : await loadBase(mask.base);
  replay(canvas, mask, { base, size, colour: "#fff" });
  const context = contextOf(canvas);
  if (!hasMarks(canvas, hasGreys ? 1 : HALF)) return undefined;
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = "#000";
  context.fillRect(0, 0, size.width, size.height);
  return await new Promise((resolve, reject) =>
    canvas.toBlob((blob) => blob === null ? reject(new Error("toBlob")) : resolve(blob))
  );
}

/** The server takes what is nearer to white for white. */
const HALF = 128;

function hasMarks(canvas: HTMLCanvasElement, least: number): boolean {
  const { data } = contextOf(canvas).getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 3; at < data.length; at += 4) if (data[at]! >= least) return true;
  return false;
}
