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
import { type Stroke, type Tool, watchStrokes } from "./mask_strokes.ts";
import { MaskView } from "./mask_view.ts";
import { pictureTextsOf } from "./picture_texts.ts";
import { RangeField } from "./range_field.tsx";
import { report } from "./report.ts";
import { setMask, sourceNotes } from "./starting.ts";
import { getState, setValue, useStore } from "./store.ts";

const EMPTY: Mask = { steps: [] };
/** The model reads one pixel in so many: a thinner line may be lost. */
const THINNEST = 8;
const WIDEST = 512;
/** Of the picture's shorter side, at first. */
const FIRST_SHARE = 0.12;
const SOFTNESS = 8;
const MOST_SOFTNESS = 128;
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
