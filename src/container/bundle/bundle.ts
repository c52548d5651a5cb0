import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { readFile, rename, statfs, writeFile } from "node:fs/promises";
import { dirname, join, posix, resolve } from "node:path";
import * as z from "zod";
import { RequestError } from "../../errors.ts";
import { exists, readJson, writeFileAtomically } from "../../files.ts";
import { CHECKSUM_LIST } from "../../integrity/mod.ts";
import { bundleReadme } from "./_bundle_readme.ts";
import { Journal } from "./_journal.ts";
import { findModelFiles, type ModelFile } from "./_model_files.ts";
import {
  plainFile,
  readSegments,
  type Segment,
  sizeOf,
  tarOf,
  type TarPart,
} from "../archive/segments.ts";
import { type ExpectedContent, MOST_VOLUMES, volumesOf, writeVolumes } from "./_volumes.ts";
import { emptyWork, openWork, removeWork } from "./_work_folder.ts";
import { LICENSES } from "../engine/licenses.ts";
import { contentOf } from "../image/layer_tree.ts";
import { formatBytes } from "../../format_bytes.ts";
import { asRoomError, BundleError } from "./bundle_error.ts";
import {
  type CanonicalOptions,
  type ImageLayout,
  layoutArchive,
  openLayout,
  writeCanonicalLayout,
} from "../image/oci_layout.ts";
import { sbomOf } from "./sbom.ts";

/** An image that an engine has. */
export interface BundledImage extends CanonicalOptions {
  /** What the engine calls it, whatever its name is: its ID. */
  readonly id: string;
  /** How many bytes it takes, about. */
  readonly bytes: number;
  /** What `docker save` writes of it. */
  save(): Promise<AsyncIterable<Uint8Array>>;
}

/** How to make a bundle. */
export interface BundleOptions {
  readonly image: BundledImage;
  /** The bundle's name, such as `newbie-0.1.0-cpu`. */
  readonly name: string;
  /** The toolkit's version. */
  readonly version: string;
  /** The top of the project: its `models/` and `checksums.txt` come along. */
  readonly root: string;
  /** Whether the real model's weights come along, where they are. */
  readonly withModels: boolean;
  /** The new folder. */
  readonly folder: string;
  /** Cuts the archive into volumes of so many bytes. */
  readonly volumeBytes?: number | undefined;
  /** Signs a file; the signature lies beside it. */
  readonly sign?: ((path: string) => Promise<unknown>) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: BundleProgress) => void) | undefined;
}

/** What goes on, and how far it has come. */
export interface BundleProgress {
  readonly stage: "image" | "resumed" | "volumes";
  readonly done: number;
  /** Absent where nobody knows. */
  readonly total?: number;
}

/** A bundle on disk. */
export interface Bundle {
  readonly folder: string;
  readonly volumes: readonly {
    readonly name: string;
    readonly bytes: number;
    readonly sha256: string;
  }[];
  readonly bytes: number;
  /** The image's digest: that of its OCI manifest. */
  readonly image: string;
  /** How many files of weights came along. */
  readonly weights: number;
  /** The SHA-256 of `SHA256SUMS`, which stands for every byte of the bundle. */
  readonly sha256: string;
}

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** What a bundle's archive says of itself, in `bundle.json`. */
export const bundleSchema = z.object({
  format: z.literal("newbie-bundle"),
  version: z.literal(1),
  name: z.string().regex(/^[\w.+-]{1,200}$/),
  image: z.object({
    reference: z.string().regex(/^[\w./:@-]{1,300}$/),
    digest,
    configDigest: digest,
    platform: z.string().regex(/^[\w./-]{1,100}$/),
  }),
  files: z.array(z.object({
    path: z.string().refine(isPlainPath),
    bytes: z.number().int().nonnegative(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  })).refine((files) => new Set(files.map(({ path }) => path)).size === files.length),
});

/**
 * Whether a path stays below its folder, is seen by whoever looks there, and reads as what it is: no
 * names with a dot in front, no backslashes, nothing invisible, nothing that ends a line.
 */
function isPlainPath(path: string): boolean {
  return posix.normalize(path) === path &&
    !/^\/|\/$|(?:^|\/)\.|[\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(path);
}

/** The same, read. */
export type BundleDescription = z.infer<typeof bundleSchema>;

/** Names within a bundle. */
export const BUNDLE_FILES = {
  description: "bundle.json",
  sums: "SHA256SUMS",
  loader: "load.sh",
  runner: "run.sh",
  readme: "README.txt",
  sbom: "sbom.spdx.json",
  licenses: LICENSES,
  image: "image.tar",
} as const;

/** What a machine without the toolkit unpacks besides the weights. */
const UNPACKED = [
  BUNDLE_FILES.runner,
  BUNDLE_FILES.readme,
  BUNDLE_FILES.sbom,
  CHECKSUM_LIST,
];
const SCRIPTS = new URL("../scripts/", import.meta.url);
const EXECUTABLE = 0o755;
const LEAST_VOLUME_BYTES = 1 << 20;
/** How often an image lies on the disk at most: in its canonical form, and as it came or goes out. */
const COPIES_OF_IMAGE = 2;

const stageSchema = z.object({ id: z.string(), sourceDateEpoch: z.number(), sha256: z.string() });
/**
 * Packs an image, the real model's weights where they are, checksums, an SBOM and the scripts that
 * install all of it into one archive, whole or in volumes, for machines without a network. The same
 * image and weights give the same bytes.
 *
 * While it is made, its parts lie in `<folder>.part`. When it fails or is interrupted, whole volumes
 * and the image stay there, and the next run goes on from them where there is more than one volume;
 * otherwise nothing stays. A run that was killed leaves what it had; the next one uses it.
 *
 * @throws {RequestError} When the folder is there already, or volumes are too small.
 * @throws {BundleError} When weights are not as listed, the disk is full, or another process makes
 *   the same bundle.
 * @throws {ArchiveError} When the engine's archive is damaged.
 * @throws The signal's reason, when it was aborted.
 */
export async function makeBundle(options: BundleOptions): Promise<Bundle> {
  const { folder, volumeBytes, signal } = options;
  if (volumeBytes !== undefined && volumeBytes < LEAST_VOLUME_BYTES) {
    throw new RequestError(`Volumes of ${volumeBytes} bytes are too small; 1M is the least.`, {
      zh: `${volumeBytes} 字节的分卷太小，至少为 1M。`,
    });
  }
  if (await exists(folder)) {
    throw new RequestError(`${folder} is there already. Remove it, or choose another with --out.`, {
      zh: `${folder} 已存在。请删除它，或用 --out 选择其他位置。`,
    });
  }
  const work = `${resolve(folder)}.part`;
  try {
    using _lock = await openWork(work);
    try {
      return await makeIn(work, options);
    } catch (error) {
      await tidy(work, error, volumeBytes !== undefined);
      signal?.throwIfAborted();
      throw error;
    }
  } catch (error) {
    throw asRoomError(error, dirname(resolve(folder)));
  }
}

async function makeIn(work: string, options: BundleOptions): Promise<Bundle> {
  const { name, folder, volumeBytes, signal, onProgress, root, withModels } = options;
  const weights = withModels ? await findModelFiles(root) : [];
  const { layout, archive, sha256 } = await stageImage(work, options, weights);
  const parts = await bundleParts(options, layout, archive, sha256, weights);
  const segments = tarOf(parts, "gnu");
  const bytes = sizeOf(segments);
  const volumes = volumesOf(`${name}.tar`, bytes, volumeBytes);
  if (volumes.length > MOST_VOLUMES) {
    throw new RequestError(
      `${formatBytes(bytes)} would make ${volumes.length} volumes; ${MOST_VOLUMES} is the most. ` +
        "Choose larger ones.",
      {
        zh: `${
          formatBytes(bytes)
        } 将产生 ${volumes.length} 个分卷，最多 ${MOST_VOLUMES} 个。请增大分卷。`,
      },
    );
  }
  const plan = { segments, expected: expectedIn(segments, weights), volumes };
  const target = join(work, "volumes");
  const journal = await Journal.open(work, target, plan, parts);
  const present = journal.volumes.length;
  const start = journal.volumes.reduce((sum, { bytes }) => sum + bytes, 0);
  if (present > 0) onProgress?.({ stage: "resumed", done: present, total: volumes.length });
  await requireRoom(work, bytes - start);
  await writeVolumes(plan, target, {
    present,
    signal,
    onProgress: (done) => onProgress?.({ stage: "volumes", done, total: bytes }),
    onVolume: (written) => journal.add(written),
  });
  const bundle = await writeCompanions(target, parts, journal);
  await options.sign?.(join(target, BUNDLE_FILES.sums));
  await rename(target, folder);
  await removeWork(work);
  return { ...bundle, folder, bytes, image: layout.digest, weights: weights.length };
}

/** The image in its canonical form; from an earlier run where that got so far. */
async function stageImage(
  work: string,
  { image, signal, onProgress }: BundleOptions,
  weights: readonly ModelFile[],
): Promise<{ layout: ImageLayout; archive: readonly Segment[]; sha256: string }> {
  const folder = join(work, "image");
  const note = join(work, "image.json");
  const { id, sourceDateEpoch } = image;
  const former = stageSchema.safeParse((await readJson(note)).value);
  if (
    former.success && former.data.id === id && former.data.sourceDateEpoch === sourceDateEpoch &&
    await exists(folder)
  ) {
    const layout = await openLayout(folder);
    const archive = await layoutArchive(layout, sourceDateEpoch);
    return { layout, archive, sha256: former.data.sha256 };
  }
  await emptyWork(work);
  const weightsBytes = weights.reduce((sum, { bytes }) => sum + bytes, 0);
  await requireRoom(work, weightsBytes + COPIES_OF_IMAGE * image.bytes);
  const counted = countedPieces(await image.save(), signal, (done) => {
    onProgress?.({ stage: "image", done });
  });
  const layout = await writeCanonicalLayout(counted, folder, image);
  const archive = await layoutArchive(layout, sourceDateEpoch);
  const hash = createHash("sha256");
  for await (const piece of readSegments(archive)) {
    signal?.throwIfAborted();
    hash.update(piece);
  }
  const sha256 = hash.digest("hex");
  await writeFileAtomically(note, Buffer.from(JSON.stringify({ id, sourceDateEpoch, sha256 })));
  return { layout, archive, sha256 };
}

/** All that is in the archive, in its order: what is read first comes first. */
async function bundleParts(
  { name, version, image, root }: BundleOptions,
  layout: ImageLayout,
  archive: readonly Segment[],
  imageSha256: string,
  weights: readonly ModelFile[],
): Promise<TarPart[]> {
  const { sourceDateEpoch } = image;
  const { reference, digest, configDigest, platform } = layout;
  const imageBytes = sizeOf(archive);
  const text = await licensesIn(layout);
  const licenses = text === undefined ? {} : { [BUNDLE_FILES.licenses]: text };
  const sum = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const values = {
    NAME: name,
    IMAGE: reference,
    IDS: [configDigest, digest].map((digest) => digest.replace("sha256:", "")).join(" "),
    MEMBERS: [...UNPACKED, ...Object.keys(licenses), ...(weights.length > 0 ? ["models"] : [])]
      .join(" "),
  };
  const bytes = imageBytes + weights.reduce((total, { bytes }) => total + bytes, 0);
  const hasWeights = weights.length > 0;
  const readme = bundleReadme({ name, reference, digest, platform, bytes, hasWeights });
  const sbom = await sbomOf(layout, { sourceDateEpoch, version, weights });
  const small: readonly (readonly [string, Uint8Array, number?])[] = [
    [BUNDLE_FILES.loader, await script(BUNDLE_FILES.loader, values), EXECUTABLE],
    [BUNDLE_FILES.runner, await script(BUNDLE_FILES.runner, values), EXECUTABLE],
    [BUNDLE_FILES.readme, Buffer.from(readme)],
    [BUNDLE_FILES.sbom, Buffer.from(sbom)],
    [CHECKSUM_LIST, await readFile(join(root, CHECKSUM_LIST))],
    ...Object.entries(licenses),
  ];
  const files = [
    ...small.map(([path, bytes]) => ({ path, bytes: bytes.length, sha256: sum(bytes) })),
    { path: BUNDLE_FILES.image, bytes: imageBytes, sha256: imageSha256 },
    ...weights.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 })),
  ];
  const description: BundleDescription = {
    format: "newbie-bundle",
    version: 1,
    name,
    image: { reference, digest, configDigest, platform },
    files,
  };
  const entry = (path: string, bytes: Uint8Array, mode?: number) => ({
    header: plainFile(path, bytes.length, sourceDateEpoch, mode),
    content: [{ bytes }],
  });
  const sums = files.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join("");
  return [
    entry(BUNDLE_FILES.description, Buffer.from(`${JSON.stringify(description, null, 2)}\n`)),
    entry(BUNDLE_FILES.sums, Buffer.from(sums)),
    ...small.map(([path, bytes, mode]) => entry(path, bytes, mode)),
    {
      header: plainFile(BUNDLE_FILES.image, imageBytes, sourceDateEpoch),
      content: archive,
    },
    ...weights.map(({ path, file, bytes }) => ({
      header: plainFile(Buffer.from(path).toString("latin1"), bytes, sourceDateEpoch),
      content: [{ file, size: bytes }],
    })),
  ];
}

/** The texts of licences that an image holds. */
async function licensesIn({ tree }: ImageLayout): Promise<Uint8Array | undefined> {
  const inode = tree.get(`app/${LICENSES}`);
  return inode?.type === "file" ? await contentOf(inode) : undefined;
}

/** Puts what must be read without unpacking beside the volumes, and lists everything. */
async function writeCompanions(
  target: string,
  parts: readonly TarPart[],
  { names, volumes }: Journal,
): Promise<Pick<Bundle, "volumes" | "sha256">> {
  const listed = volumes.map((volume, index) => ({ name: names[index]!, ...volume }));
  const sums = listed.map(({ name, sha256 }) => `${sha256}  ${name}\n`);
  for (const path of [BUNDLE_FILES.loader, BUNDLE_FILES.readme, BUNDLE_FILES.sbom]) {
    const { header, content } = parts.find(({ header }) => header.path === path)!;
    const [segment] = content;
    if (segment === undefined || !("bytes" in segment)) continue;
    await writeFile(join(target, path), segment.bytes, { mode: header.mode });
    sums.push(`${createHash("sha256").update(segment.bytes).digest("hex")}  ${path}\n`);
  }
  const text = Buffer.from(sums.join(""));
  await writeFileAtomically(join(target, BUNDLE_FILES.sums), text);
  return { volumes: listed, sha256: createHash("sha256").update(text).digest("hex") };
}

/** Leaves nothing but what the next run can use. */
async function tidy(work: string, error: unknown, isSplit: boolean): Promise<void> {
  const hasVolumes = await exists(join(work, "journal.json"));
  // Whole volumes may hold some of the bytes that proved wrong.
  const isUsable = isSplit && hasVolumes &&
    !(error instanceof BundleError && error.code === "weights");
  if (!isUsable) await removeWork(work);
}

function expectedIn(
  segments: readonly Segment[],
  weights: readonly ModelFile[],
): ExpectedContent[] {
  return weights.map(({ file, path, sha256 }) => ({
    segment: segments.findIndex((segment) => "file" in segment && segment.file === file),
    path,
    sha256,
  }));
}

async function script(name: string, values: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const text = await readFile(new URL(name, SCRIPTS), "utf8");
  return Buffer.from(text.replaceAll(/@([A-Z]+)@/g, (place, key) => values[key] ?? place));
}

async function requireRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytes) return;
  const place = dirname(folder);
  throw new BundleError("no-room", {
    en: `The bundle needs ${formatBytes(bytes)} more in ${place}, and the disk has ` +
      `${formatBytes(free)} left. Make room, or choose another with --out.`,
    zh: `离线包还需要 ${place} 中 ${formatBytes(bytes)} 的空间，但磁盘只剩 ${formatBytes(free)}。` +
      "请腾出空间，或用 --out 选择其他位置。",
  });
}

async function* countedPieces(
  stream: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of stream) {
    signal?.throwIfAborted();
    onBytes(bytes += piece.length);
    yield piece;
  }
}
