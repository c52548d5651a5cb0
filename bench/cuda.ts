/**
 * The full-size model on a GPU: one forward, whole pictures, the first picture, pictures from pictures,
 * both decoders, and the memory of each way to hold the weights. Each measurement is a process of its own.
 */
import { basename, join } from "node:path";
import type { Accuracy, AccuracyRequest } from "./accuracy.ts";
import type { DecoderResult, DecodersRequest } from "./decoders.ts";
import type { ForwardRequest, ForwardResult } from "./forward.ts";
import type { FromPictureRequest, FromPictureResult } from "./from_picture.ts";
import { GpuMemory, visibleGpus } from "./gpu_memory.ts";
import type { PictureRequest, PictureResult } from "./picture.ts";
import { inProcess, type Kernels } from "./process.ts";
import { benchSeveralGpus, type MeasuredGpus } from "./several_gpus.ts";

/** What the GPU benchmark needs. */
export interface CudaBenchOptions {
  /** A folder with models/ in the toolkit's layout in it, AutoencoderTiny in its VAE slot. */
  readonly model: string;
  /** The same with AutoencoderKL; both may share their other parts. */
  readonly modelWithKl?: string;
  /** What bench/reference/components.py stored of these weights. */
  readonly reference?: string;
  /** Folders of quantised copies of the model. */
  readonly quantized: readonly string[];
  /** Only forwards and pictures of a model that is all in the GPU's memory. */
  readonly residentOnly: boolean;
  readonly steps: number;
  readonly size: number;
  readonly caption: number;
  readonly log: (line: string) => void;
}

/** A way in which the transformer computes: whose kernels, and with which products. */
export interface Way {
  readonly kernels: Kernels;
  readonly dtype: "auto" | "int8";
}

/** One forward, in processes that took turns with those of the other ways. */
export interface MeasuredForward extends Way {
  readonly rounds: readonly ForwardResult[];
}

/** A run, and the memory of the GPU that it took at most. */
export interface MeasuredPicture {
  readonly request: PictureRequest;
  readonly kernels: Kernels;
  readonly result: PictureResult;
  /** Bytes. */
  readonly peakMemory: number;
}

/** A quantised copy of the model. */
export interface MeasuredCopy {
  /** The name of its folder. */
  readonly name: string;
  readonly forward: ForwardResult;
  readonly picture: MeasuredPicture;
  /** Of the quantised parts, by the type of arithmetic. */
  readonly accuracy?: Readonly<Record<typeof HALVES[number], readonly Accuracy[]>>;
}

/** Pictures that start from a picture, and hires. */
export interface MeasuredFromPicture {
  readonly request: FromPictureRequest;
  readonly kernels: Kernels;
  readonly result: FromPictureResult;
}

/** Everything that was measured. */
export interface CudaBenchResult {
  readonly gpu: string;
  readonly forward: readonly MeasuredForward[];
  readonly pictures: readonly MeasuredPicture[];
  /** Present where there are two GPUs. */
  readonly severalGpus?: readonly MeasuredGpus[];
  /** With AutoencoderKL where there is a model that has it. */
  readonly fromPictures: readonly MeasuredFromPicture[];
  /** Present with a model that has AutoencoderKL. */
  readonly decoders?: DecoderResult;
  readonly quantized: readonly MeasuredCopy[];
  readonly accuracy?: readonly Accuracy[];
  /** Of the transformer with our own kernels. */
  readonly ownAccuracy?: readonly Accuracy[];
  /** The same with products in 8 bits. */
  readonly int8Accuracy?: readonly Accuracy[];
}

const WAYS: readonly Way[] = [
  { kernels: "onnxruntime", dtype: "auto" },
  { kernels: "own", dtype: "auto" },
  { kernels: "own", dtype: "int8" },
];
const FORWARD_ROUNDS = 2;
/** Warm pictures after the first. */
const WARM = 2;
const PIXELS_PER_LATENT = 8;
const STEP_CACHE = 0.2;
/** How far pictures from a picture go, and how many times larger the others are drawn again. */
export const STRENGTH = 0.6;
export const HIRES = 1.5;
const TRANSFORMER = "models/next-dit-3.5b";
const DECODER = "models/vae/taesd";
const QUANTIZED_PARTS = ["transformer", "text_encoder"] as const;
const HALVES = ["bfloat16", "float16"] as const;

/** Runs all of it: some minutes on an H100. */
export async function benchCuda(options: CudaBenchOptions): Promise<CudaBenchResult> {
  const { model, modelWithKl, reference, quantized, residentOnly, log } = options;
  const { steps, size, caption } = options;
  const forwardOf = (folder: string, { kernels, dtype }: Way) =>
    inProcess<ForwardResult>(
      "bench/forward.ts",
      {
        folder: join(folder, TRANSFORMER),
        device: "cuda",
        dtype,
        latentSize: size / PIXELS_PER_LATENT,
        caption,
        runs: 20,
      } satisfies ForwardRequest,
      kernels,
    );
  const accuracyOf = (
    folder: string,
    reference: string,
    which: Pick<AccuracyRequest, "dtype" | "parts">,
    kernels: Kernels,
  ) =>
    inProcess<Accuracy[]>(
      "bench/accuracy.ts",
      {
        models: join(folder, "models"),
        reference,
        device: "cuda",
        ...which,
      } satisfies AccuracyRequest,
      kernels,
    );
  const rounds = WAYS.map((): ForwardResult[] => []);
  for (let round = 0; round < FORWARD_ROUNDS; round++) {
    for (const [index, way] of WAYS.entries()) {
      log(`One forward of the transformer, ${nameOf(way)} …`);
      rounds[index]!.push(await forwardOf(model, way));
    }
  }
  const forward = WAYS.map((way, index) => ({ ...way, rounds: rounds[index]! }));
  const usual = { device: "cuda", size, steps, caption, count: 1 } as const;
  const wide = { ...usual, size: size * 3 / 2, steps: 2 };
  const warm = { ...usual, model, offload: "none", count: 1 + WARM } as const;
  const withOwnKernels: PictureRequest[] = [
    warm,
    { ...warm, dtype: "int8" },
    { ...usual, model, offload: "model" },
    { ...usual, model, offload: "sequential", steps: 2 },
    { ...wide, model, offload: "model" },
    { ...usual, model, offload: "model", dtype: "int8" },
  ];
  const requests: PictureRequest[] = [
    warm,
    { ...warm, stepCache: STEP_CACHE },
    ...(modelWithKl === undefined ? [] : [
      { ...usual, model: modelWithKl, offload: "none", count: 1 + WARM } as const,
      { ...usual, model: modelWithKl, offload: "model" } as const,
    ]),
    { ...usual, model, offload: "model" },
    { ...usual, model, offload: "sequential", steps: 2 },
    { ...usual, model, offload: "model", steps: 2 },
    { ...wide, model, offload: "model" },
  ];
  const pictures: MeasuredPicture[] = [];
  const measure = async (request: PictureRequest, kernels: Kernels) => {
    const way = nameOf({ kernels, dtype: request.dtype === "int8" ? "int8" : "auto" });
    log(
      `${request.size} × ${request.size}, ${request.steps} steps, ${way}, offload ` +
        `${request.offload} …`,
    );
    pictures.push(await measured(request, kernels));
  };
  const onSeveralGpus = async () =>
    (await visibleGpus()).length < 2
      ? {}
      : { severalGpus: await benchSeveralGpus({ model, steps, size, caption, log }) };
  if (residentOnly) {
    for (const { kernels, dtype } of WAYS) await measure({ ...warm, dtype }, kernels);
    const several = await onSeveralGpus();
    return { gpu: await gpuName(), forward, pictures, ...several, fromPictures: [], quantized: [] };
  }
  for (const request of requests) await measure(request, "onnxruntime");
  for (const request of withOwnKernels) await measure(request, "own");
  const fromPictures: MeasuredFromPicture[] = [];
  for (const [kernels] of KERNELS) {
    for (const offload of ["none", "model"] as const) {
      log(`Pictures from a picture, offload ${offload} …`);
      const drawn = { model: modelWithKl ?? model, device: "cuda", size, steps, offload } as const;
      const request = { ...drawn, strength: STRENGTH, hires: HIRES, count: 1 + WARM };
      const result = await inProcess<FromPictureResult>(
        "bench/from_picture.ts",
        request satisfies FromPictureRequest,
        kernels,
      );
      fromPictures.push({ request: withoutPlace(request), kernels, result });
    }
  }
  const [decoders] = modelWithKl === undefined ? [] : await inProcess<DecoderResult[]>(
    "bench/decoders.ts",
    {
      device: "cuda",
      tiny: join(model, DECODER),
      kl: join(modelWithKl, DECODER),
      sizes: [size],
      runs: 9,
    } satisfies DecodersRequest,
  );
  const copies: MeasuredCopy[] = [];
  for (const folder of quantized) {
    log(`${folder} …`);
    const inHalf = (dtype: typeof HALVES[number]) =>
      accuracyOf(folder, reference!, { dtype, parts: QUANTIZED_PARTS }, "onnxruntime");
    copies.push({
      name: basename(folder),
      forward: await forwardOf(folder, { kernels: "onnxruntime", dtype: "auto" }),
      picture: await measured({ ...usual, model: folder, offload: "model" }, "onnxruntime"),
      ...(reference === undefined ? {} : {
        accuracy: { bfloat16: await inHalf("bfloat16"), float16: await inHalf("float16") },
      }),
    });
  }
  const accuracies = reference === undefined ? {} : {
    accuracy: await accuracyOf(model, reference, { dtype: "auto" }, "onnxruntime"),
    ownAccuracy: await accuracyOf(
      model,
      reference,
      { dtype: "auto", parts: ["transformer"] },
      "own",
    ),
    int8Accuracy: await accuracyOf(
      model,
      reference,
      { dtype: "int8", parts: ["transformer"] },
      "own",
    ),
  };
  return {
    gpu: await gpuName(),
    forward,
    pictures,
    ...await onSeveralGpus(),
    fromPictures,
    ...(decoders === undefined ? {} : { decoders }),
    quantized: copies,
    ...accuracies,
  };
}

async function measured(request: PictureRequest, kernels: Kernels): Promise<MeasuredPicture> {
  await using memory = await GpuMemory.watch();
  const result = await inProcess<PictureResult>("bench/picture.ts", request, kernels);
  return { request: withoutPlace(request), kernels, result, peakMemory: memory.peak };
}

/** Where the model lies is nobody's concern. */
function withoutPlace<R extends { readonly model: string }>(request: R): R {
  return { ...request, model: basename(request.model) };
}

/** What nvidia-smi calls the first GPU that CUDA shows to this program, and its driver's version. */
export async function gpuName(): Promise<string> {
  const [index = 0] = await visibleGpus();
  const { stdout } = await new Deno.Command("nvidia-smi", {
    args: [`--id=${index}`, "--query-gpu=name,driver_version", "--format=csv,noheader"],
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

const KERNELS = [["onnxruntime", "ONNX Runtime's"], ["own", "our own"]] as const;
const WHOSE = Object.fromEntries(KERNELS) as Readonly<Record<Kernels, string>>;

/** What a way is called. */
export function nameOf({ kernels, dtype }: Way): string {
  return `${WHOSE[kernels]} kernels${dtype === "int8" ? ", products in 8 bits" : ""}`;
}
