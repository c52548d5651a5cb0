/** The thread of {@linkcode StudioThread}. */
import { join } from "node:path";
import { explainError, RequestError } from "../errors.ts";
import { encodePictureAs } from "../image/mod.ts";
import { PART_NAMES } from "../families/mod.ts";
import { ChangedFileError } from "../safetensors/mod.ts";
import { previews } from "./preview.ts";
import { pictureFile, Studio } from "./studio.ts";
import type { Failure, StudioAnswer, StudioFacts, StudioRequest } from "./studio_thread.ts";

/** The part of a worker's global scope that is needed here; lib.dom knows another one. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<StudioRequest>) => void;
  postMessage: (message: StudioAnswer, transfer?: Transferable[]) => void;
};

let studio: Studio | undefined;
let hasPreviews = false;
const running = new Map<number, AbortController>();

scope.onmessage = async ({ data: request }) => {
  if ("abort" in request) {
    running.get(request.abort)?.abort();
  } else if ("previews" in request) {
    hasPreviews = request.previews;
  } else if ("open" in request) {
    const { model, options } = request.open;
    try {
      studio = await Studio.open(model, {
        ...options,
        log: (line) => scope.postMessage({ log: line }),
      });
      scope.postMessage({ opened: factsOf(studio) });
    } catch (error) {
      scope.postMessage({ failed: failureOf(error) });
    }
  } else if ("make" in request) {
    await make(request.make);
  } else {
    for (const controller of running.values()) controller.abort();
    await studio?.[Symbol.asyncDispose]();
    scope.postMessage({ closed: true });
  }
};

async function make(
  { id, request, template, preset, format, texts }: Extract<
    StudioRequest,
    { make: unknown }
  >["make"],
): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const preview = previews(studio!.pipe);
    const made = await studio!.make(request, {
      ...(template === undefined ? {} : { template }),
      ...(preset === undefined ? {} : { preset }),
      signal: controller.signal,
      onStep: async (step) => {
        const news = { id, step: step.index + 1, steps: step.total };
        // The last step's is the picture itself.
        if (!hasPreviews || news.step === news.steps) return scope.postMessage({ step: news });
        const image = await encodePictureAs(await preview(step), "jpeg");
        const bytes = new Uint8Array(image);
        scope.postMessage({ step: { ...news, preview: bytes } }, [bytes.buffer]);
      },
    });
    const { recipe, milliseconds, image: { width, height } } = made;
    const file = new Uint8Array(await pictureFile(made, texts, format));
    scope.postMessage({ made: { id, file, recipe, width, height, milliseconds } }, [file.buffer]);
  } catch (error) {
    scope.postMessage({ failed: { id, ...failureOf(error) } });
  } finally {
    running.delete(id);
  }
}

/** How files of weights end. */
const WEIGHTS = /\.(?:safetensors|sft|gguf)$/i;

function factsOf({ pipe }: Studio): StudioFacts {
  const weights = PART_NAMES.flatMap((name) => {
    const files = pipe.checkpoint[name];
    return files === undefined ? [] : [[name, files.weights] as const];
  });
  const isVerified = (place: string) =>
    pipe.verifiedFiles.some((file) =>
      file === place || file.startsWith(join(place, "/")) && WEIGHTS.test(file)
    );
  const { processor, kernels } = pipe.arithmetic;
  return {
    isDemo: pipe.isDemo,
    device: deviceOf(pipe),
    dtype: pipe.dtype,
    offload: pipe.offload,
    layout: pipe.layout,
    scheduler: { name: pipe.scheduler.name, shift: pipe.scheduler.shift },
    defaultSize: pipe.defaultSize,
    sizeMultiple: pipe.sizeMultiple,
    hasFastPreviews: pipe.vaeClassName === "AutoencoderTiny",
    weights: Object.fromEntries(weights),
    verified: weights.filter(([, place]) => isVerified(place)).map(([name]) => name),
    processor,
    ...(kernels === undefined ? {} : { kernels }),
  };
}

/** Where it computes: GPUs by their numbers, where it is not the first alone. */
function deviceOf({ device, deviceIds }: Studio["pipe"]): string {
  const isFirst = deviceIds.every((id) => id === 0);
  return isFirst ? device : deviceIds.map((id) => `cuda:${id}`).join(" + ");
}

function failureOf(error: unknown): Failure {
  return {
    texts: { en: explainError(error, "en"), zh: explainError(error, "zh") },
    isRequest: error instanceof RequestError,
    ...(error instanceof ChangedFileError ? { changedFile: error.file } : {}),
  };
}
