/** A studio that draws at once: tests of the queue and the protocols need no model. */
import { encodePng } from "../../src/image/mod.ts";
import type { Recipe } from "../../src/recipe/mod.ts";
import { currentVersions, recipeText } from "../../src/recipe/mod.ts";
import { createApp, LIMITS } from "../../src/server/mod.ts";
import type { Access } from "../../src/server/mod.ts";
import { resolveSettings } from "../../src/settings/mod.ts";
import { Gallery } from "../../src/studio/gallery.ts";
import {
  type Painter,
  PictureQueue,
  type PictureQueueOptions,
} from "../../src/studio/picture_queue.ts";
import { GivenPictures } from "../../src/studio/given_pictures.ts";
import { PictureThread } from "../../src/studio/picture_thread.ts";
import { PromptDesk } from "../../src/studio/prompt_desk.ts";
import type { PictureRequest } from "../../src/studio/request.ts";

const SIZE = 16;
const STEPS = 4;

/** What a fake studio was asked to do. */
export interface Painted {
  readonly prompts: string[];
  readonly requests: PictureRequest[];
  /** How often a model was loaded, and given back. */
  opened: number;
  closed: number;
  /** The most pictures that were under way at once. */
  most: number;
}

/** Loads a model that draws grey pictures whose shade is the seed's last byte. */
export function fakeStudio(
  { stepMilliseconds = 0, fails = () => false, ends = () => false }: {
    stepMilliseconds?: number;
    fails?: (prompt: string) => boolean;
    /** Whether the thread ends, as when native code does. */
    ends?: (prompt: string) => boolean;
  } = {},
): { open: () => Promise<Painter>; painted: Painted } {
  const painted: Painted = { prompts: [], requests: [], opened: 0, closed: 0, most: 0 };
  let busy = 0;
  const open = (): Promise<Painter> => {
    painted.opened++;
    let hasEnded = false;
    return Promise.resolve({
      facts: {
        isDemo: true,
        device: "cpu",
        dtype: "float32",
        offload: "none",
        layout: "toolkit",
        scheduler: { name: "euler", shift: 6 },
        defaultSize: SIZE,
        sizeMultiple: 16,
        hasFastPreviews: true,
        weights: {},
        verified: [],
        processor: "none",
      },
      get hasEnded() {
        return hasEnded;
      },
      set previews(_: boolean) {
        // It makes them always.
      },
      make: async (request, { onStep, signal } = {}) => {
        painted.most = Math.max(painted.most, ++busy);
        try {
          hasEnded ||= ends(request.prompt);
          if (hasEnded) throw new Error("the thread has ended");
          for (let step = 1; step <= STEPS; step++) {
            await new Promise((resolve) => setTimeout(resolve, stepMilliseconds));
            signal?.throwIfAborted();
            onStep?.({ step, steps: STEPS, preview: new Uint8Array([255, 216]) });
          }
          if (fails(request.prompt)) throw new Error("the fake model fails");
          painted.prompts.push(request.prompt);
          painted.requests.push(request);
          return picture(request);
        } finally {
          busy--;
        }
      },
      [Symbol.asyncDispose]: () => {
        painted.closed++;
        return Promise.resolve();
      },
    });
  };
  return { open, painted };
}

function picture(request: Parameters<Painter["make"]>[0]) {
  const settings = resolveSettings(request, {
    byModel: { width: SIZE, height: SIZE, scheduler: { name: "euler", shift: 6 } },
    isDemo: true,
  });
  const { width, height, generator } = settings;
  const shade = Number(BigInt.asUintN(8, BigInt(generator.seed)));
  const image = { width, height, data: new Uint8ClampedArray(3 * width * height).fill(shade) };
  const model = { name: "fake", sha256: "0".repeat(64) };
  const recipe: Recipe = {
    ...settings,
    models: { layout: "toolkit", transformer: model, textEncoder: model, vae: model },
    provider: "cpu",
    dtype: "float32",
    versions: currentVersions(),
  };
  const file = new Uint8Array(encodePng(image, { text: recipeText(recipe) }));
  return Promise.resolve({ file, recipe, width, height, milliseconds: 1 });
}

export const HOST = "127.0.0.1:7860";

/** A whole server without a network, in a folder. */
export async function fakeServer(
  folder: string,
  {
    access = { hosts: [HOST], origins: [] },
    limits = LIMITS,
    queue: options = {},
    studio = fakeStudio(),
  }: {
    access?: Access;
    limits?: typeof LIMITS;
    queue?: Partial<PictureQueueOptions>;
    studio?: ReturnType<typeof fakeStudio>;
  } = {},
) {
  const root = `${folder}/outputs`;
  const queue = await PictureQueue.open({ open: studio.open, root, ...options });
  await queue.load();
  const gallery = await Gallery.open({ root, cache: `${folder}/cache` });
  const thread = new PictureThread();
  const desk = await PromptDesk.open(".");
  const app = createApp({
    queue,
    gallery,
    given: new GivenPictures(thread, { root }),
    thread,
    presets: `${folder}/presets`,
    wildcards: `${folder}/wildcards`,
    desk,
    diagnose: () => Promise.resolve({ memory: { total: 1, free: 1 }, adapters: [], findings: [] }),
    log: [],
    access,
    limits,
  });
  const ask = (path: string, init: RequestInit & { json?: unknown } = {}) => {
    const { json, headers, ...rest } = init;
    return Promise.resolve(app.fetch(
      new Request(`http://${HOST}${path}`, {
        ...(json === undefined ? {} : { method: "POST", body: JSON.stringify(json) }),
        ...rest,
        headers: { Host: HOST, ...headers },
      }),
    ));
  };
  return {
    ask,
    queue,
    gallery,
    root,
    painted: studio.painted,
    [Symbol.asyncDispose]: async () => {
      await queue[Symbol.asyncDispose]();
      await gallery[Symbol.asyncDispose]();
      thread[Symbol.dispose]();
    },
  };
}
