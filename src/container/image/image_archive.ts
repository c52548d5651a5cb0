/** What `docker save` and its like write, in any of its forms, taken apart on disk. */
import { createReadStream } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import * as z from "zod";
import { HashedFile, type WrittenFile } from "../archive/hashed_file.ts";
import { contentOf, readFully, readTar, StreamSource } from "../archive/tar_reader.ts";
import { ArchiveError } from "../archive/archive_error.ts";

const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** What an image's configuration says; engines write more, of which nothing is kept. */
export const imageConfigSchema = z.object({
  created: z.string().optional(),
  architecture: z.string(),
  os: z.string(),
  variant: z.string().optional(),
  config: z.record(z.string(), z.unknown()).nullish(),
  rootfs: z.object({ diff_ids: z.array(digestSchema) }),
  history: z.array(
    z.object({ created_by: z.string().optional(), empty_layer: z.boolean().optional() }),
  ).nullish(),
});
export type ImageConfig = z.infer<typeof imageConfigSchema>;

/** `manifest.json`: Docker's own list of what is in an archive. */
const dockerManifestSchema = z.array(z.object({ Config: z.string(), Layers: z.array(z.string()) }));

const descriptorSchema = z.object({
  mediaType: z.string().optional(),
  digest: digestSchema,
  size: z.number().int().nonnegative(),
  platform: z.object({ architecture: z.string(), os: z.string() }).optional(),
});
/** `index.json` and indices in it. */
export const indexSchema = z.object({ manifests: z.array(descriptorSchema) });
export const manifestSchema = z.object({
  config: descriptorSchema,
  layers: z.array(descriptorSchema),
});

/** A layer's tar on disk, not compressed; its SHA-256 is proved. */
export interface UnpackedLayer {
  readonly file: string;
  /** `sha256:` and 64 hexadecimal digits. */
  readonly diffId: string;
}

/** An image that was taken apart. */
export interface UnpackedImage {
  readonly config: ImageConfig;
  /** From the lowest to the highest. */
  readonly layers: readonly UnpackedLayer[];
}

/** A file of the archive, on disk. */
interface Spooled extends WrittenFile {
  readonly file: string;
}

/** How compressed data begins, and what reads it. */
const COMPRESSIONS = [
  { magic: [0x1f, 0x8b], decompressor: createGunzip },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], decompressor: createZstdDecompress },
];
const LONGEST_MAGIC = 4;
/** Manifests and configurations are small. */
const MOST_JSON_BYTES = 1 << 24;
/** A manifest of an image for no platform: what builders attest of another one. */
const NO_PLATFORM = "unknown";

/**
 * Takes an image's archive apart as it comes: as `docker save` of Engine 20.10 writes it, as later
 * engines do, or an OCI layout in a tar.
 *
 * @param stream The archive; not compressed.
 * @param folder Where the layers go; what is there already may be overwritten.
 * @param name What the archive is called in messages.
 * @throws {ArchiveError} When it ends too early, holds no image or several, or when any of its parts
 *   has not the digest that the archive states for it.
 */
export async function unpackImageArchive(
  stream: AsyncIterable<Uint8Array>,
  folder: string,
  name: string,
): Promise<UnpackedImage> {
  const files = new Map<string, Spooled>();
  const links = new Map<string, string>();
  const source = new StreamSource(name, stream);
  try {
    for await (const entry of readTar(source)) {
      const path = posix.normalize(entry.path);
      if (entry.type === "symlink") {
        links.set(path, posix.join(posix.dirname(path), entry.target));
      } else if (entry.type === "link") {
        links.set(path, posix.normalize(entry.target));
      } else if (entry.type === "file") {
        const file = join(folder, `part-${files.size}`);
        files.set(path, { file, ...await writeTo(file, contentOf(source, entry)) });
      }
    }
    await source.drain();
  } catch (error) {
    await source.close();
    throw error;
  }
  const archive = new OpenArchive(name, files, links);
  const { config: configPath, layers } = await archive.contents();
  const config = await archive.json(configPath, imageConfigSchema);
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== layers.length) throw archive.notAnImage(configPath);
  // The same layer may stand there twice.
  const unpacked = new Map<string, string>();
  for (const [index, diffId] of diffIds.entries()) {
    const place = `${index + 1}/${diffIds.length}`;
    const file = unpacked.get(diffId) ?? await archive.layer(layers[index]!, diffId, place);
    unpacked.set(diffId, file);
  }
  return { config, layers: diffIds.map((diffId) => ({ diffId, file: unpacked.get(diffId)! })) };
}

class OpenArchive {
  readonly #name: string;
  readonly #files: ReadonlyMap<string, Spooled>;
  readonly #links: ReadonlyMap<string, string>;

  constructor(
    name: string,
    files: ReadonlyMap<string, Spooled>,
    links: ReadonlyMap<string, string>,
  ) {
    this.#name = name;
    this.#files = files;
    this.#links = links;
  }

  /** The paths of the configuration and of the layers. */
  async contents(): Promise<{ config: string; layers: readonly string[] }> {
    if (this.#files.has("manifest.json")) {
      const images = await this.json("manifest.json", dockerManifestSchema);
      if (images.length !== 1) throw this.#notOne(images.length);
      return { config: images[0]!.Config, layers: images[0]!.Layers };
    }
    if (!this.#files.has("index.json")) throw this.notAnImage("manifest.json");
    const index = await this.json("index.json", indexSchema);
    if (index.manifests.length !== 1) throw this.#notOne(index.manifests.length);
    const manifest = await this.#imageIn(index.manifests[0]!);
    return {
      config: blobPath(manifest.config.digest),
      layers: manifest.layers.map(({ digest }) => blobPath(digest)),
    };
  }

  /** Reads a JSON file, of which the name may state the digest. */
  async json<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    const { file, bytes, sha256 } = this.#find(path);
    // `blobs/sha256/<digest>`, or `<digest>.json` in archives of Engine 20.10.
    const [stated] = /[0-9a-f]{64}(?=(?:\.json)?$)/.exec(path) ?? [];
    if (stated !== undefined && stated !== sha256) throw this.#damaged(path);
    if (bytes > MOST_JSON_BYTES) throw this.notAnImage(path);
    let json: unknown;
    try {
      json = JSON.parse(await readFile(file, "utf8"));
    } catch {
      throw this.notAnImage(path);
    }
    const parsed = schema.safeParse(json);
    if (!parsed.success) throw this.notAnImage(path);
    return parsed.data;
  }

  /** A layer's tar as it is when nothing compresses it. */
  async layer(path: string, diffId: string, place: string): Promise<string> {
    const { file, sha256 } = this.#find(path);
    if (`sha256:${sha256}` === diffId) return file;
    const start = await beginningOf(file, LONGEST_MAGIC);
    const compression = COMPRESSIONS.find(({ magic }) =>
      magic.every((byte, index) => start[index] === byte)
    );
    if (compression === undefined) throw this.#damagedLayer(place, diffId);
    const unpacked = `${file}.tar`;
    const { stream, failure } = through(file, compression.decompressor());
    let found: string;
    try {
      found = (await writeTo(unpacked, stream)).sha256;
    } catch (cause) {
      throw cause === failure() ? this.#damagedLayer(place, diffId, cause) : cause;
    }
    if (`sha256:${found}` !== diffId) throw this.#damagedLayer(place, diffId);
    return unpacked;
  }

  notAnImage(path: string): ArchiveError {
    return new ArchiveError("not-an-image", {
      en: `${this.#name} is not an image's archive: ${path} is missing or says something else. ` +
        "Expected what `docker save` writes.",
      zh: `${this.#name} 不是镜像归档：${path} 缺失或内容不符。应为 docker save 的输出。`,
    });
  }

  async #imageIn(descriptor: z.infer<typeof descriptorSchema>): Promise<
    z.infer<typeof manifestSchema>
  > {
    const path = blobPath(descriptor.digest);
    if (!/index|manifest\.list/.test(descriptor.mediaType ?? "")) {
      return await this.json(path, manifestSchema);
    }
    const { manifests } = await this.json(path, indexSchema);
    const images = manifests.filter(({ digest, platform }) =>
      platform?.architecture !== NO_PLATFORM && this.#files.has(blobPath(digest))
    );
    if (images.length !== 1) throw this.#notOne(images.length);
    return await this.json(blobPath(images[0]!.digest), manifestSchema);
  }

  #find(path: string): Spooled {
    let place = posix.normalize(path);
    // Links may lead to links, but in a circle only where somebody made it so.
    for (let steps = 0; this.#links.has(place) && steps <= this.#links.size; steps++) {
      place = this.#links.get(place)!;
    }
    const found = this.#files.get(place);
    if (found === undefined) throw this.notAnImage(path);
    return found;
  }

  #notOne(count: number): ArchiveError {
    return new ArchiveError("not-an-image", {
      en: `${this.#name} holds ${count} images; expected one. Save one image by its name.`,
      zh: `${this.#name} 中有 ${count} 个镜像，应只有一个。请按名称只保存一个镜像。`,
    });
  }

  #damaged(path: string): ArchiveError {
    return new ArchiveError("damaged", {
      en: `${this.#name} is damaged: ${path} does not have the SHA-256 that its name states. ` +
        "Copy or make it again.",
      zh: `${this.#name} 已损坏：${path} 的 SHA-256 与其名称不符。请重新复制或重新生成。`,
    });
  }

  #damagedLayer(place: string, diffId: string, cause?: unknown): ArchiveError {
    return new ArchiveError("damaged", {
      en:
        `${this.#name} is damaged: layer ${place} does not have the SHA-256 that its image states, ` +
        `${diffId.slice("sha256:".length)}. Copy or make it again.`,
      zh: `${this.#name} 已损坏：第 ${place} 层的 SHA-256 与镜像记录的不符，应为 ` +
        `${diffId.slice("sha256:".length)}。请重新复制或重新生成。`,
    }, { cause });
  }
}

/** Where an OCI layout has a blob. */
export function blobPath(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}

async function writeTo(path: string, pieces: AsyncIterable<Uint8Array>): Promise<WrittenFile> {
  await using output = await HashedFile.create(path);
  for await (const piece of pieces) await output.write(piece);
  return await output.finish();
}

/** What a file gives when it is decompressed, and what the decompressor found wrong with it. */
function through(path: string, decompressor: Transform): {
  readonly stream: AsyncIterable<Uint8Array>;
  failure(): unknown;
} {
  let failed: unknown;
  decompressor.on("error", (error) => failed = error);
  return { stream: createReadStream(path).pipe(decompressor), failure: () => failed };
}

/** A file's first bytes; fewer where it ends before. */
async function beginningOf(path: string, bytes: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    return await readFully(file, 0, bytes);
  } finally {
    await file.close();
  }
}
