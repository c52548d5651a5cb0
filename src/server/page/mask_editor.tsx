/** Where the picture is drawn anew: painted on it with mouse, pen, finger or keys. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { addressOf } from "./api.ts";
import { IconButton } from "./cards.tsx";
import { Icon } from "./icons.tsx";
import type { Mask, MaskStep } from "./mask.ts";
import {
  canvasScale,
  contextOf,
  drawPoint,
  finishStroke,
  fitCanvas,
  loadBase,
  MASK_COLOUR,
  play,
  replay,
  type Size,
} from "./mask_steps.ts";
import { MaskView } from "./mask_view.ts";
import { pictureTextsOf } from "./picture_texts.ts";
import { RangeField } from "./range_field.tsx";
import { report } from "./report.ts";
import { setMask, sourceNotes } from "./starting.ts";
import { getState, setValue, useStore } from "./store.ts";

type Tool = "paint" | "erase";
type Stroke = Extract<MaskStep, { points: unknown }>;

const EMPTY: Mask = { steps: [] };
/** The model reads one pixel in so many: a thinner line may be lost. */
const THINNEST = 8;
const WIDEST = 512;
/** Of the picture's shorter side, at first. */
const FIRST_SHARE = 0.12;
const SOFTNESS = 8;
const MOST_SOFTNESS = 128;
/** Points nearer to each other than this share of the brush add nothing. */
const NEAREST = 0.08;
const WHEEL_FACTOR = 1.0015;
const ZOOM = 1.4;

let open: () => void = () => {};

export function openMaskEditor(): void {
  open();
}

export function MaskEditor() {
  const { language } = useStore();
  const texts = pictureTextsOf(language);
  const dialog = useRef<HTMLDialogElement>(null);
  const [size, setSize] = useState<Size | undefined>(undefined);

  open = () => {
    sourceNotes().then((notes) => {
      setSize(notes);
      if (dialog.current?.open === false) dialog.current.showModal();
    }, report);
  };

  return (
    <dialog
      ref={dialog}
      class="mask-editor"
      aria-label={texts.maskTitle}
      onClose={() => setSize(undefined)}
    >
      {size !== undefined && <Desk size={size} onDone={() => dialog.current?.close()} />}
    </dialog>
  );
}

function Desk({ size, onDone }: { readonly size: Size; readonly onDone: () => void }) {
  const { language, draft: { values, mask = EMPTY } } = useStore();
  const texts = pictureTextsOf(language);
  const { width, height } = size;
  const shorter = Math.min(width, height);
  const widest = Math.max(THINNEST, Math.min(WIDEST, Math.round(shorter / 2)));
  const [tool, setTool] = useState<Tool>("paint");
  const [brush, setBrush] = useState(
    Math.min(widest, Math.max(THINNEST, Math.round(shorter * FIRST_SHARE))),
  );
  const [undone, setUndone] = useState<readonly MaskStep[]>([]);
  const view = useRef<MaskView | undefined>(undefined);

  const add = (step: MaskStep) => {
    const { mask = EMPTY } = getState().draft;
    setMask({ ...mask, steps: [...mask.steps, step] });
    setUndone([]);
  };
  const undo = () => {
    const step = mask.steps.at(-1);
    if (step === undefined) return;
    setUndone([...undone, step]);
    const steps = mask.steps.slice(0, -1);
    setMask(steps.length === 0 && mask.base === undefined ? undefined : { ...mask, steps });
  };
  const redo = () => {
    const step = undone.at(-1);
    if (step === undefined) return;
    setUndone(undone.slice(0, -1));
    setMask({ ...mask, steps: [...mask.steps, step] });
  };
  const resize = (factor: number) =>
    setBrush((brush) => Math.round(Math.min(widest, Math.max(THINNEST, brush * factor))));
  const key = (event: KeyboardEvent) => {
    const isCommand = event.ctrlKey || event.metaKey;
    const name = event.key.toLowerCase();
    const isTyping = (event.target as HTMLInputElement).type === "number";
    const act = isCommand
      ? name === "z" ? event.shiftKey ? redo : undo : name === "y" ? redo : undefined
      : isTyping
      ? undefined
      : ({
        b: () => setTool("paint"),
        e: () => setTool("erase"),
        i: () => add({ kind: "invert" }),
        "[": () => resize(1 / 1.2),
        "]": () => resize(1.2),
        "+": () => view.current?.zoom(ZOOM),
        "=": () => view.current?.zoom(ZOOM),
        "-": () => view.current?.zoom(1 / ZOOM),
        "0": () => view.current?.fit(),
      } as Readonly<Record<string, () => void>>)[name];
    // Ctrl+Enter draws, and then there is nothing to paint.
    if (isCommand && name === "enter") return onDone();
    if (act === undefined) return;
    event.preventDefault();
    act();
  };
  const canUndo = mask.steps.length > 0;
  const isBlank = mask.base === undefined && mask.steps.length === 0;

  return (
    <div class="mask-desk" onKeyDown={key}>
      <header class="mask-bar">
        <h2>{texts.maskTitle}</h2>
        <button type="button" class="button primary" onClick={onDone}>{texts.done}</button>
      </header>
      <Board
        size={size}
        mask={mask}
        brush={{ tool, width: brush }}
        softness={Number(values["mask_blur"] ?? SOFTNESS)}
        onStroke={add}
        onView={(made) => view.current = made}
      />
      <div class="mask-tools">
        <div class="switch" role="group" aria-label={texts.tools}>
          {([["paint", "brush"], ["erase", "eraser"]] as const).map(([name, icon]) => (
            <button
              type="button"
              key={name}
              aria-pressed={tool === name}
              onClick={() => setTool(name)}
            >
              <Icon name={icon} /> {name === "paint" ? texts.brush : texts.eraser}
            </button>
          ))}
        </div>
        <RangeField
          id="mask-brush"
          label={texts.brushSize}
          value={brush}
          usual={brush}
          least={THINNEST}
          most={widest}
          step={1}
          onChange={(next) => setBrush(next ?? brush)}
        />
        <RangeField
          id="mask-softness"
          label={texts.softness}
          about={texts.softnessAbout}
          value={values["mask_blur"] as number | undefined}
          usual={SOFTNESS}
          least={0}
          most={MOST_SOFTNESS}
          step={1}
          onChange={(next) => setValue("mask_blur", next)}
        />
        <div class="mask-group">
          <IconButton icon="undo" label={texts.undo} isDisabled={!canUndo} onClick={undo} />
          <IconButton
            icon="redo"
            label={texts.redo}
            isDisabled={undone.length === 0}
            onClick={redo}
          />
          <button type="button" class="button small" onClick={() => add({ kind: "invert" })}>
            <Icon name="invert" /> {texts.invert}
          </button>
          <button
            type="button"
            class="button small"
            disabled={isBlank}
            onClick={() => add({ kind: "clear" })}
          >
            <Icon name="trash" /> {texts.clear}
          </button>
        </div>
        <div class="mask-group">
          <IconButton
            icon="minus"
            label={texts.zoomOut}
            onClick={() => view.current?.zoom(1 / ZOOM)}
          />
          <IconButton icon="fit" label={texts.fit} onClick={() => view.current?.fit()} />
          <IconButton icon="plus" label={texts.zoomIn} onClick={() => view.current?.zoom(ZOOM)} />
        </div>
        <span class="hint mask-keys">{texts.maskKeys}</span>
      </div>
    </div>
  );
}

/** The picture, and on it the mask. */
function Board({ size, mask, brush, softness, onStroke, onView }: {
  readonly size: Size;
  readonly mask: Mask;
  readonly brush: { readonly tool: Tool; readonly width: number };
  readonly softness: number;
  readonly onStroke: (stroke: Stroke) => void;
  readonly onView: (view: MaskView) => void;
}) {
  const { language, draft: { values } } = useStore();
  const texts = pictureTextsOf(language);
  const board = useRef<HTMLDivElement>(null);
  const sheet = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const ring = useRef<HTMLDivElement>(null);
  /** What stands on the canvas. */
  const shown = useRef<{ base: string | undefined; steps: readonly MaskStep[] } | undefined>(
    undefined,
  );
  const base = useRef<HTMLCanvasElement | undefined>(undefined);
  const now = useRef({ brush, onStroke });
  now.current = { brush, onStroke };

  useLayoutEffect(() => {
    fitCanvas(canvas.current!, size, canvasScale(size));
    const view = new MaskView({
      board: board.current!,
      sheet: sheet.current!,
      ring: ring.current!,
      size,
    });
    const strokes = watchStrokes(board.current!, view, {
      begin: (isEraser) => {
        const { tool, width } = now.current.brush;
        return { kind: isEraser ? "erase" : tool, width };
      },
      draw: (stroke, index) => {
        const context = contextOf(canvas.current!);
        context.fillStyle = MASK_COLOUR;
        context.strokeStyle = MASK_COLOUR;
        drawPoint(context, stroke, index);
      },
      end: (stroke) => {
        finishStroke(contextOf(canvas.current!), stroke);
        const { base, steps } = shown.current ?? { base: undefined, steps: [] };
        shown.current = { base, steps: [...steps, stroke] };
        now.current.onStroke(stroke);
      },
      drop: () => show(true),
    });
    onView(view);
    board.current!.focus();
    return () => {
      strokes();
      view.close();
    };
  }, [size]);

  const show = (isForced = false) => {
    const { mask = EMPTY } = getState().draft;
    const { steps } = mask;
    const { current } = shown;
    const isSame = current?.base === mask.base && current?.steps.length === steps.length &&
      current.steps.every((step, index) => step === steps[index]);
    if (isSame && !isForced) return;
    const isOneMore = !isForced && current !== undefined && current.base === mask.base &&
      current.steps.length + 1 === steps.length &&
      current.steps.every((step, index) => step === steps[index]);
    shown.current = { base: mask.base, steps };
    if (isOneMore) {
      const context = contextOf(canvas.current!);
      context.fillStyle = MASK_COLOUR;
      context.strokeStyle = MASK_COLOUR;
      return play(context, steps.at(-1)!, size);
    }
    replay(canvas.current!, mask, { base: base.current, size, colour: MASK_COLOUR });
  };
  useEffect(() => {
    base.current = undefined;
    if (mask.base === undefined) return show();
    let isCurrent = true;
    loadBase(mask.base).then((loaded) => {
      if (!isCurrent) return;
      base.current = loaded;
      show(true);
    }, report);
    return () => {
      isCurrent = false;
    };
  }, [mask.base, size]);
  useEffect(() => {
    if (mask.base === undefined || base.current !== undefined) show();
  }, [mask]);
  useEffect(() => {
    ring.current!.style.setProperty("--brush", `${brush.width}px`);
    ring.current!.classList.toggle("erases", brush.tool === "erase");
  }, [brush.width, brush.tool]);

  return (
    <div
      ref={board}
      class="mask-board"
      role="application"
      aria-label={texts.board}
      tabIndex={0}
    >
      <div
        ref={sheet}
        class="mask-sheet"
        style={{ width: `${size.width}px`, height: `${size.height}px` }}
      >
        <img
          src={addressOf.picture(String(values["image"]))}
          alt=""
          width={size.width}
          height={size.height}
          draggable={false}
        />
        <canvas
          ref={canvas}
          class="mask-tint"
          style={{
            filter: softness > 0 ? `drop-shadow(0 0 ${softness / 2}px ${MASK_COLOUR})` : "none",
          }}
        />
        <div ref={ring} class="mask-ring" hidden />
      </div>
    </div>
  );
}

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
function watchStrokes(board: HTMLElement, view: MaskView, strokes: Strokes): () => void {
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
