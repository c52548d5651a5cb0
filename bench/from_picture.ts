/**
 * Pictures drawn from pictures: image to image, inpainting and hires of a model, each once after
 * another in a process of its own. Takes its request as JSON, prints its result as JSON.
 */
import {
  NewBieImagePipeline,
  type PretrainedOptions,
  type RgbImage,
  type Timings,
} from "../src/mod.ts";
import { GpuMemory } from "./gpu_memory.ts";

/** What to draw with. */
export interface FromPictureRequest
  extends Pick<PretrainedOptions, "device" | "dtype" | "offload" | "vae"> {
  /** The folder of the model. */
  readonly model: string;
  /** Width and height in pixels, of the first drawing with hires. */
  readonly size: number;
  readonly steps: number;
  readonly strength: number;
  /** How many times larger hires draws. */
  readonly hires: number;
  /** How often each is drawn; the first is not warm. */
  readonly count: number;
  /** The ways of drawing that are measured; by default all. */
  readonly ways?: readonly FromPictureRow["way"][];
}

/** What one way of drawing took. */
export interface FromPictureRow {
  readonly way: "text" | "image" | "mask" | "hires";
  readonly width: number;
  /** Milliseconds, of every picture. */
  readonly timings: readonly Timings[];
  /** Bytes of the GPU's memory at most since the process began, so that rows never fall; absent on a CPU. */
  readonly peakMemory?: number;
  /** Whether every pixel of the last picture has one colour, as when something overflowed. */
  readonly isBlank: boolean;
  /** Pixels outside of the mask that are not the given picture's. */
  readonly changedOutside?: number;
}

/** The result. */
export interface FromPictureResult {
  /** Milliseconds from the start of the process to the sessions. */
  readonly loaded: number;
  readonly offload: string;
  readonly vae: string;
  readonly rows: readonly FromPictureRow[];
}

/** Stripes and a slope: something of every frequency. */
function somePicture(side: number): RgbImage {
  const data = Uint8ClampedArray.from({ length: 3 * side * side }, (_, at) => {
    const [row, column] = [Math.floor(at / 3 / side), Math.floor(at / 3) % side];
    return [255 * column / side, 255 * row / side, (row + column) % 64 * 4][at % 3]!;
  });
  return { data, width: side, height: side };
}

/** White in the middle half of both sides. */
function middleMask(side: number): RgbImage {
  const isMiddle = (place: number) => place >= side / 4 && place < side * 3 / 4;
  const data = Uint8ClampedArray.from({ length: 3 * side * side }, (_, at) => {
    const [row, column] = [Math.floor(at / 3 / side), Math.floor(at / 3) % side];
    return isMiddle(row) && isMiddle(column) ? 255 : 0;
  });
  return { data, width: side, height: side };
}

if (import.meta.main) {
  const request: FromPictureRequest = JSON.parse(Deno.args[0]!);
  const { model, size, steps, strength, hires, count, ways: asked, ...loading } = request;
  await using memory = loading.device === "cuda" ? await GpuMemory.watch() : undefined;
  await using pipe = await NewBieImagePipeline.fromPretrained(model, loading);
  const loaded = performance.now();
  const [image, maskImage] = [somePicture(size), middleMask(size)];
  const all = {
    text: { width: size, height: size },
    image: { image, strength },
    mask: { image, maskImage, strength, maskBlur: 0 },
    hires: { width: size, height: size, hires: { scale: hires } },
  } as const;
  const rows: FromPictureRow[] = [];
  for (const way of asked ?? ["text", "image", "mask", "hires"] as const) {
    const timings: Timings[] = [];
    let drawn: RgbImage | undefined;
    for (let index = 0; index < count; index++) {
      const result = await pipe.generate({
        prompt: "1girl, blue_hair, cat_ears, smile, red_dress, night, snow",
        numInferenceSteps: steps,
        guidanceScale: 5,
        generator: { seed: index },
        ...all[way],
      });
      timings.push(result.timings);
      drawn = result.images[0]!;
    }
    const { data, width } = drawn!;
    const outside = data.filter((value, at) =>
      maskImage.data[at] === 0 && value !== image.data[at]
    );
    rows.push({
      way,
      width,
      timings,
      ...(memory === undefined ? {} : { peakMemory: memory.peak }),
      isBlank: data.every((value) => value === data[0]),
      ...(way === "mask" ? { changedOutside: outside.length } : {}),
    });
  }
  const result: FromPictureResult = {
    loaded,
    offload: pipe.offload,
    vae: pipe.vaeClassName,
    rows,
  };
  console.log(JSON.stringify(result));
}
