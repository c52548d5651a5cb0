import { createHash } from "node:crypto";
import { PassThrough } from "node:stream";
import { NewBieError } from "../../errors.ts";
import {
  BASE_IMAGES,
  CUDA_PROVIDER,
  DENO,
  ONNX_RUNTIME,
  type PinnedImage,
  TINI,
} from "../../integrity/mod.ts";
import { type ContextEntry, packContext, type Variant } from "./context.ts";
import type { Engine } from "./engine.ts";
import { EngineError, reasonOf } from "./engine_error.ts";
import { digestOf, sourceList, type Sources } from "./sources.ts";
import type { BuildEvent, ImageFacts, PullProgress } from "./types.ts";

/** The image's name in an engine; its tag is the variant. */
export const REPOSITORY = "newbie";
/** The tag of what was built last. */
export const LATEST = `${REPOSITORY}:latest`;

/** What an image says of itself that a bundle of it goes by. */
export const BUNDLE_LABELS = {
  /** The commit's time, which everything in it gets. */
  created: "org.opencontainers.image.created",
  version: "org.opencontainers.image.version",
  variant: `${REPOSITORY}.variant`,
  /** How many of its layers are those of the image that it was built on. */
  baseLayers: `${REPOSITORY}.base-layers`,
} as const;

/** What an image is built on. */
export interface BaseImage {
  /** As `FROM` takes it. */
  readonly name: string;
  /** What the engine has under that name. */
  readonly facts: ImageFacts;
}

/** The pinned image of a variant, as `FROM` takes it. */
export function pinnedBase(variant: Variant): string {
  const { name, digest }: PinnedImage = BASE_IMAGES[variant];
  return `${name}@${digest}`;
}

/**
 * Finds an image to build on, and fetches it where the engine does not have it.
 *
 * @throws {NewBieError} When it cannot be had, or is for another platform.
 */
export async function prepareBase(
  engine: Engine,
  name: string,
  { platform, signal, onProgress }: {
    readonly platform: string;
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  },
): Promise<BaseImage> {
  // With a digest the tag says nothing, and not every engine takes both.
  const reference = name.replace(/:[^/:@]+@/, "@");
  let facts = await engine.image(reference);
  if (facts === undefined) {
    try {
      await engine.pull(reference, { platform, signal, ...(onProgress ? { onProgress } : {}) });
    } catch (error) {
      if (!(error instanceof Error) || error.name === "AbortError" || signal?.aborted) throw error;
      const reason = reasonOf(error instanceof EngineError ? error.cause : error);
      throw new NewBieError(
        {
          en: [
            `The base image ${name} is not in this engine and could not be fetched: ${reason}`,
            "Where no registry can be reached, load it from an archive (docker load) or name a " +
            "copy: deno task build --base REGISTRY/NAME@DIGEST",
          ],
          zh: [
            `引擎中没有基础镜像 ${name}，也无法获取：${reason}`,
            "无法访问镜像仓库时，可以从归档加载（docker load），或指定一份副本：" +
            "deno task build --base 仓库/名称@摘要",
          ],
        },
        { cause: error },
      );
    }
    facts = await engine.image(reference);
  }
  if (facts === undefined) {
    throw new NewBieError(`The engine fetched ${name} and does not have it.`, {
      zh: `引擎已获取 ${name}，但其中没有该镜像。`,
    });
  }
  if (facts.platform !== platform) {
    throw new NewBieError(
      `The base image ${name} is for ${facts.platform}, and the image is to be for ${platform}. ` +
        `Fetch the right one: docker pull --platform ${platform} ${name}`,
      {
        zh: `基础镜像 ${name} 适用于 ${facts.platform}，而要构建的镜像适用于 ${platform}。` +
          `请获取正确的镜像：docker pull --platform ${platform} ${name}`,
      },
    );
  }
  return { name, facts };
}

/** What the image says of itself. */
export function labelsOf(
  sources: Sources,
  { variant, base, version }: {
    readonly variant: Variant;
    readonly base: BaseImage;
    /** The toolkit's. */
    readonly version: string;
  },
): Record<string, string> {
  const { commit, time, changes, files } = sources;
  const standard = {
    title: REPOSITORY,
    description: "Anime pictures from XML prompts: NewBie-image-Exp0.1 on Deno and ONNX Runtime",
    version,
    revision: changes.length === 0 ? commit : `${commit}-dirty`,
    created: new Date(time * 1000).toISOString().replace(".000Z", "Z"),
    licenses: "MIT",
  };
  const own = {
    variant,
    sources: digestOf(files),
    "source-list": `sha256:${createHash("sha256").update(sourceList(files)).digest("hex")}`,
    // What it stands on, and not what that is called: a copy in another registry is the same.
    base: base.facts.layers.at(-1) ?? "",
    "base-layers": String(base.facts.layers.length),
    deno: DENO.version,
    onnxruntime: ONNX_RUNTIME.version,
    ...(variant === "cuda" ? { "cuda-provider": CUDA_PROVIDER.version } : {}),
    tini: TINI.version,
  };
  return {
    ...prefixed("org.opencontainers.image.", standard),
    ...prefixed(`${REPOSITORY}.`, own),
  };
}

/**
 * Builds an image and gives it its names. An image that had them and has no other is removed, unless
 * a container stands on it. When this throws, there is no image, and those that had the names still
 * have them.
 *
 * @returns What the engine knows of it.
 * @throws {BuildError} When a step fails.
 */
export async function buildImage(
  engine: Engine,
  { entries, time, base, labels, platform, tags, canonical, signal, onSent = () => {}, onEvent }: {
    readonly entries: readonly ContextEntry[];
    readonly time: number;
    readonly base: BaseImage;
    readonly labels: Readonly<Record<string, string>>;
    readonly platform: string;
    readonly tags: readonly string[];
    /** Puts an image in its canonical form under the first of the names, and tells its ID then. */
    readonly canonical?: ((id: string) => Promise<string>) | undefined;
    readonly signal?: AbortSignal | undefined;
    /** Is told how many bytes of the context the engine has. */
    readonly onSent?: (bytes: number) => void;
    readonly onEvent?: (event: BuildEvent) => void;
  },
): Promise<ImageFacts> {
  const context = new PassThrough();
  let sent = 0;
  context.on("data", (chunk: Uint8Array) => onSent(sent += chunk.length));
  packContext(entries, time).on("error", (error) => context.destroy(error)).pipe(context);
  const request = {
    context,
    // By its id: the image that was looked at, whatever its name means by now.
    arguments: { BASE: base.facts.id },
    base: base.facts.id,
    labels,
    platform,
    signal,
  };
  const built = await engine.build(request, onEvent);
  const before = await Promise.all(tags.map((tag) => engine.image(tag)));
  let id = built;
  try {
    if (canonical !== undefined) id = await canonical(built);
  } finally {
    if (canonical !== undefined) await removeNameless(engine, built);
  }
  for (const tag of tags) await engine.tag(id, tag);
  for (const old of new Set(before.map((image) => image?.id))) {
    if (old !== undefined && old !== id) await removeNameless(engine, old);
  }
  return (await engine.image(id))!;
}

async function removeNameless(engine: Engine, id: string): Promise<void> {
  const image = await engine.image(id);
  if (image === undefined || image.tags.length + image.digests.length > 0) return;
  // The engine refuses where a container still uses it, and that is as it should be.
  await engine.removeImage(id).catch(() => {});
}

function prefixed(prefix: string, labels: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => [`${prefix}${name}`, value]),
  );
}
