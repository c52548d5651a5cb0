/** What mouse, pen, fingers and keys do on the board of a mask. */
import type { MaskStep } from "./mask.ts";
import type { MaskView } from "./mask_view.ts";

export type Tool = "paint" | "erase";
export type Stroke = Extract<MaskStep, { points: unknown }>;

/** Points nearer to each other than this share of the brush add nothing. */
const NEAREST = 0.08;
const WHEEL_FACTOR = 1.0015;

/** What becomes of strokes. */
interface Strokes {
  readonly begin: (isEraser: boolean) => { readonly kind: Tool; readonly width: number };
  readonly draw: (stroke: Stroke, index: number) => void;
  readonly end: (stroke: Stroke) => void;
  /** A stroke was none: another finger came, and both move the picture. */
  readonly drop: () => void;
}

/** Of PointerEvent.buttons. */
const MIDDLE = 4;
const PEN_ERASER = 32;
const PARTS = 3;
/** Of the board, for each press of an arrow key. */
const KEY_STEP = 1 / 40;

/** Makes strokes of what pointers and keys do on the board; the result ends it. */
export function watchStrokes(board: HTMLElement, view: MaskView, strokes: Strokes): () => void {
  const touches = new Map<number, { x: number; y: number }>();
  let stroke: { kind: Tool; points: number[] } | undefined;
  let width = 0;
  let moving: { x: number; y: number } | undefined;
  let isSpace = false;
  let hasMoved = false;
  /** Where a pen paints, fingers move the picture. */
  let hasPen = false;
  let hand: { x: number; y: number } | undefined;

  const add = (x: number, y: number, pressure: number) => {
    const { points } = stroke!;
    const [lastX, lastY] = points.slice(-PARTS);
    const own = Math.max(1, width * pressure);
    const isNear = lastX !== undefined && Math.hypot(x - lastX, y - lastY!) < own * NEAREST;
    if (isNear) return;
    points.push(tenth(x), tenth(y), tenth(own));
    strokes.draw(stroke!, points.length / PARTS - 1);
  };
  const begin = (isEraser: boolean) => {
    const begun = strokes.begin(isEraser);
    width = begun.width;
    stroke = { kind: begun.kind, points: [] };
  };
  const end = () => {
    if (stroke !== undefined && stroke.points.length > 0) strokes.end(stroke);
    stroke = undefined;
  };
  const pressureOf = ({ pointerType, pressure }: PointerEvent) =>
    pointerType === "pen" && pressure > 0 ? 0.3 + 0.7 * pressure : 1;

  const down = (event: PointerEvent) => {
    if (event.pointerType === "mouse" && event.button === 2) return;
    event.preventDefault();
    board.focus({ preventScroll: true });
    board.setPointerCapture(event.pointerId);
    hasPen ||= event.pointerType === "pen";
    if (event.pointerType === "touch") {
      touches.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (touches.size > 1) {
        if (stroke !== undefined) strokes.drop();
        stroke = undefined;
        return;
      }
    }
    const isFinger = hasPen && event.pointerType === "touch";
    if (isSpace || (event.buttons & MIDDLE) !== 0 || isFinger) {
      moving = { x: event.clientX, y: event.clientY };
      hasMoved = true;
      return;
    }
    begin((event.buttons & PEN_ERASER) !== 0);
    const { x, y } = view.placeOf(event);
    add(x, y, pressureOf(event));
  };
  const move = (event: PointerEvent) => {
    if (event.pointerType !== "touch") view.showRing(view.placeOf(event));
    hand = view.placeOf(event);
    if (touches.size > 1) {
      const before = [...touches.values()].slice(0, 2);
      touches.set(event.pointerId, { x: event.clientX, y: event.clientY });
      view.pinch(before, [...touches.values()].slice(0, 2));
      return;
    }
    if (moving !== undefined) {
      view.move(event.clientX - moving.x, event.clientY - moving.y);
      moving = { x: event.clientX, y: event.clientY };
      return;
    }
    if (stroke === undefined) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const one of all.length === 0 ? [event] : all) {
      const { x, y } = view.placeOf(one);
      add(x, y, pressureOf(one));
    }
  };
  const up = (event: PointerEvent) => {
    touches.delete(event.pointerId);
    if (moving !== undefined) moving = undefined;
    else end();
  };
  const leave = () => view.hideRing();
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    view.zoom(WHEEL_FACTOR ** -event.deltaY, { x: event.clientX, y: event.clientY });
  };
  const keyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") {
      event.preventDefault();
      if (!isSpace) hasMoved = false;
      isSpace = true;
      return;
    }
    const way = ({
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    } as Readonly<Record<string, readonly [number, number]>>)[event.key];
    if (way === undefined) return;
    event.preventDefault();
    hand ??= view.middle();
    const step = view.longSide() * KEY_STEP * (event.shiftKey ? 4 : 1);
    if (isSpace && stroke === undefined) {
      begin(false);
      add(hand.x, hand.y, 1);
    }
    hand = view.within({ x: hand.x + way[0] * step, y: hand.y + way[1] * step });
    view.showRing(hand);
    if (stroke !== undefined) add(hand.x, hand.y, 1);
    hasMoved = true;
  };
  const keyUp = (event: KeyboardEvent) => {
    if (event.key !== " ") return;
    isSpace = false;
    if (stroke === undefined && !hasMoved) {
      hand ??= view.middle();
      view.showRing(hand);
      begin(false);
      add(hand.x, hand.y, 1);
    }
    end();
  };
  const listeners: readonly (readonly [string, (event: never) => void])[] = [
    ["pointerdown", down],
    ["pointermove", move],
    ["pointerup", up],
    ["pointercancel", up],
    ["pointerleave", leave],
    ["wheel", wheel],
    ["keydown", keyDown],
    ["keyup", keyUp],
  ];
  for (const [name, listener] of listeners) {
    board.addEventListener(name, listener as EventListener, { passive: false });
  }
  return () => {
    for (const [name, listener] of listeners) {
      board.removeEventListener(name, listener as EventListener);
    }
  };
}

function tenth(value: number): number {
  return Math.round(10 * value) / 10;
}
