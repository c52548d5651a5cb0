import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { link, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { NewBieError } from "../../errors.ts";
import { UnfinishedFolder } from "../../unfinished.ts";
import { writeCanonicalLayer } from "./_canonical_layer.ts";
import {
  blobPath,
  type ImageConfig,
  imageConfigSchema,
  indexSchema,
  manifestSchema,
  unpackImageArchive,
} from "./image_archive.ts";
import { applyLayer, type LayerContents, LayerTree, readLayer } from "./layer_tree.ts";
import { plainFile, type Segment, tarOf } from "../archive/segments.ts";
import { ArchiveError } from "../archive/archive_error.ts";

/** How to write an image in its canonical form. */
export interface CanonicalOptions {
  /** The time that everything gets: that of the commit, in seconds since 1970. */
  readonly sourceDateEpoch: number;
  /** What the image is called, such as `newbie:0.1.0-cpu`. It is no part of the digest. */
  readonly reference: string;
  /**
   * The layers of the image that it was built on (`RootFS.Layers` of its inspection): they stay as
   * they are. By default there are none, and the whole image becomes one layer.
   */
  readonly baseLayers?: readonly string[] | undefined;
  /** What the archive is called in messages. */
  readonly name?: string | undefined;
}

/** A layer of an image. */
export interface ImageLayer {
  /** The SHA-256 of its tar, which is not compressed: `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
  readonly bytes: number;
}

/** An image in a folder, as the OCI image layout says. */
export interface ImageLayout {
  readonly folder: string;
  /** The manifest's digest: the same for the same sources, whatever engine built them, and when. */
  readonly digest: string;
  /** The configuration's digest, which most engines call the image's ID. */
  readonly configDigest: string;
  readonly config: ImageConfig;
  /** Such as `linux/amd64`. */
  readonly platform: string;
  readonly reference: string;
  /** From the lowest to the highest. */
  readonly layers: readonly ImageLayer[];
  /** What the layers make together: every file of the image. */
  readonly tree: LayerTree;
}

const MEDIA_TYPES = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
};
const LAYOUT_VERSION = { imageLayoutVersion: "1.0.0" };
/** What says how an image runs. Everything else in a configuration is about how it was built. */
const KEPT_SETTINGS = [
  "Cmd",
  "Entrypoint",
  "Env",
  "ExposedPorts",
  "Healthcheck",
  "Labels",
  "Shell",
  "StopSignal",
  "User",
  "Volumes",
  "WorkingDir",
];
/** Labels with which builders sign. */
const BUILDERS_LABELS = ["io.buildah.version"];
const CREATED_BY = "deno task bundle";
/** The names in an index, for containerd's and for all others' readers. */
const NAME_ANNOTATIONS = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/**
 * Writes an image as an OCI layout that depends on nothing but what is in the image: the layers of
 * the base image stay as they are, those on top of it become one with sorted entries and one time
 * (see `SOURCE_DATE_EPOCH` of reproducible-builds.org), and the configuration keeps only what says
 * how the image runs. The same sources give the same digest on any engine and on any day. Layers are
 * not compressed, because compressors differ.
 *
 * `docker load` of any Engine since 1.10 takes the layout, in a tar, as do Podman and containerd.
 *
 * @param archive What `docker save` writes.
 * @param folder The new folder, which appears when all of it is on disk.
 * @throws {ArchiveError} When the archive is damaged, or the image is not built on the base.
 * @throws {Error} What the file system reports, such as a full disk.
 *
 * @example
 * ```ts ignore
 * import { createReadStream } from "node:fs";
 *
 * const { digest } = await writeCanonicalLayout(createReadStream("saved.tar"), "image", {
 *   sourceDateEpoch: 1795467259,
 *   reference: "newbie:0.1.0-cpu",
 * });
 * ```
 */
export async function writeCanonicalLayout(
  archive: AsyncIterable<Uint8Array>,
  folder: string,
  { sourceDateEpoch, reference, baseLayers = [], name = "The image" }: CanonicalOptions,
): Promise<ImageLayout> {
  await using made = await UnfinishedFolder.create(folder);
  const temporary = made.path;
  const blobs = join(temporary, "blobs/sha256");
  const parts = join(temporary, "parts");
  await mkdir(blobs, { recursive: true });
  await mkdir(parts);
  const { config, layers } = await unpackImageArchive(archive, parts, name);
  if (baseLayers.some((layer, index) => layers[index]?.diffId !== layer)) throw otherBase(name);
  const base = new LayerTree();
  const all = new LayerTree();
  const own: LayerContents[] = [];
  for (const [index, { file, diffId }] of layers.entries()) {
    const contents = await readLayer(file, `${name}, ${diffId}`, all);
    applyLayer(all, contents);
    if (index < baseLayers.length) {
      applyLayer(base, contents);
      // A second name and no move: the same layer may come again.
      await giveName(file, join(temporary, blobPath(diffId)));
    } else {
      own.push(contents);
    }
  }
  const diffIds = [...baseLayers];
  const ownFile = join(parts, "own");
  const written = await writeCanonicalLayer(ownFile, own, base, sourceDateEpoch);
  if (written !== undefined) {
    const diffId = `sha256:${written.sha256}`;
    diffIds.push(diffId);
    await giveName(ownFile, join(temporary, blobPath(diffId)));
  }
  const canonical = canonicalConfig(config, diffIds, baseLayers.length, sourceDateEpoch);
  await writeMetadata(temporary, canonical, diffIds, reference);
  await rm(parts, { recursive: true });
  if (!await made.keep()) {
    throw new NewBieError(`${folder} is there already. Remove it, or choose another folder.`, {
      zh: `${folder} 已存在。请删除它，或选择其他文件夹。`,
    });
  }
  return await openLayout(folder);
}

/**
 * Opens an image that {@linkcode writeCanonicalLayout} wrote. The layers' bytes are not hashed.
 *
 * @throws {ArchiveError} When the folder holds no such image.
 */
export async function openLayout(folder: string): Promise<ImageLayout> {
  const read = async (path: string) => JSON.parse(await readFile(join(folder, path), "utf8"));
  try {
    const { manifests } = indexSchema.parse(await read("index.json"));
    const { digest } = manifests[0]!;
    const manifest = manifestSchema.parse(await read(blobPath(digest)));
    const config = imageConfigSchema.parse(await read(blobPath(manifest.config.digest)));
    const [{ RepoTags: [reference] }] = await read("manifest.json");
    const tree = new LayerTree();
    for (const { digest } of manifest.layers) {
      const path = join(folder, blobPath(digest));
      applyLayer(tree, await readLayer(path, `${basename(folder)}, ${digest}`, tree));
    }
    return {
      folder,
      digest,
      configDigest: manifest.config.digest,
      config,
      platform: platformOf(config),
      reference,
      layers: manifest.layers.map(({ digest, size }) => ({ digest, bytes: size })),
      tree,
    };
  } catch (cause) {
    if (cause instanceof ArchiveError) throw cause;
    throw new ArchiveError("not-an-image", {
      en: `${folder} holds no image as this toolkit writes it. Remove it, and make it again.`,
      zh: `${folder} 中没有本工具箱写出的镜像。请删除后重新生成。`,
    }, { cause });
  }
}

/**
 * The files of a layout, by their paths in it, in the order in which they go into an archive.
 * Readers that go through it once meet the small files first.
 */
async function layoutFiles(
  { folder, digest, configDigest, layers }: ImageLayout,
): Promise<readonly { readonly path: string; readonly size: number }[]> {
  const blobs = [...new Set([digest, configDigest, ...layers.map(({ digest }) => digest)])];
  const paths = ["oci-layout", "index.json", "manifest.json", ...blobs.map(blobPath)];
  return await Promise.all(
    paths.map(async (path) => ({ path, size: (await stat(join(folder, path))).size })),
  );
}

/** A layout as one archive, which `docker load` takes. The same layout gives the same bytes. */
export async function layoutArchive(
  layout: ImageLayout,
  mtime: number,
): Promise<readonly Segment[]> {
  const files = await layoutFiles(layout);
  return tarOf(files.map(({ path, size }) => ({
    header: plainFile(path, size, mtime),
    content: [{ file: join(layout.folder, path), size }],
  })));
}

function canonicalConfig(
  { architecture, os, variant, config, history }: ImageConfig,
  diffIds: readonly string[],
  baseLayers: number,
  sourceDateEpoch: number,
): Record<string, unknown> {
  const created = new Date(sourceDateEpoch * 1000).toISOString().replace(".000Z", "Z");
  const settings = KEPT_SETTINGS.flatMap((key) => {
    const value = canonicalSetting(key, config?.[key]);
    return value === undefined ? [] : [[key, value]];
  });
  const entry = (created_by: string) => ({ created, created_by });
  return {
    created,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    os,
    config: Object.fromEntries(settings),
    rootfs: { type: "layers", diff_ids: diffIds },
    history: diffIds.map((_, index) =>
      entry(index < baseLayers ? historyOf(history, index) : CREATED_BY)
    ),
  };
}

/** A setting without what means nothing, its keys in order. */
function canonicalSetting(key: string, value: unknown): unknown {
  if (value === null || value === undefined || value === "") return undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value;
  if (typeof value !== "object") return value;
  const entries = Object.entries(value)
    .filter(([name]) => key !== "Labels" || !BUILDERS_LABELS.includes(name))
    .sort(([a], [b]) => a < b ? -1 : 1);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** How a layer of the base came about, as the base image says. */
function historyOf(history: ImageConfig["history"], layer: number): string {
  const entry = (history ?? []).filter(({ empty_layer }) => !empty_layer)[layer];
  return entry?.created_by ?? "";
}

async function writeMetadata(
  folder: string,
  config: Record<string, unknown>,
  diffIds: readonly string[],
  reference: string,
): Promise<void> {
  const configBlob = await writeBlob(folder, config);
  const layers = await Promise.all(diffIds.map(async (digest) => ({
    mediaType: MEDIA_TYPES.layer,
    digest,
    size: (await stat(join(folder, blobPath(digest)))).size,
  })));
  const manifest = await writeBlob(folder, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config: { mediaType: MEDIA_TYPES.config, ...configBlob },
    layers,
  });
  const { architecture, os } = config;
  const fullName = fullReference(reference);
  await writeFile(join(folder, "oci-layout"), JSON.stringify(LAYOUT_VERSION));
  await writeFile(
    join(folder, "index.json"),
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.index,
      manifests: [{
        mediaType: MEDIA_TYPES.manifest,
        ...manifest,
        annotations: Object.fromEntries(NAME_ANNOTATIONS.map((key) => [key, fullName])),
        platform: { architecture, os },
      }],
    }),
  );
  // What `docker load` reads where it knows of no layouts.
  await writeFile(
    join(folder, "manifest.json"),
    JSON.stringify([{
      Config: blobPath(configBlob.digest),
      RepoTags: [reference],
      Layers: diffIds.map(blobPath),
    }]),
  );
}

async function writeBlob(
  folder: string,
  json: unknown,
): Promise<{ digest: string; size: number }> {
  const bytes = Buffer.from(JSON.stringify(json));
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  await writeFile(join(folder, blobPath(digest)), bytes);
  return { digest, size: bytes.length };
}

/** A name with all that Docker supplies by itself. */
function fullReference(reference: string): string {
  const [first, ...rest] = reference.split("/");
  if (rest.length === 0) return `docker.io/library/${reference}`;
  return /[.:]|^localhost$/.test(first!) ? reference : `docker.io/${reference}`;
}

async function giveName(file: string, name: string): Promise<void> {
  try {
    await link(file, name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    // A file system without links, such as exFAT.
    await rename(file, name);
  }
}

function platformOf({ os, architecture, variant }: ImageConfig): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join("/");
}

function otherBase(name: string): ArchiveError {
  return new ArchiveError("not-an-image", {
    en: `${name} is not built on the base image that is given: its lowest layers are others. ` +
      "Build it again, or give the base that it was built on.",
    zh:
      `${name} 并非基于所给的基础镜像构建：其底层与之不同。请重新构建，或给出构建时所用的基础镜像。`,
  });
}
