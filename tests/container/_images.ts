/**
 * Images' archives as engines write them, put together by modern-tar, which the code under test does
 * not use.
 */
import { createHash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { packTar, type TarEntry, unpackTar } from "modern-tar";

/** A file of a layer: its text, or the fields that are not those of a plain file. */
export type Content = string | Omit<Partial<TarEntry["header"]>, "name"> & { text?: string };

/** What a layer holds, in the order in which it is written. */
export type Files = readonly (readonly [path: string, content: Content])[];

const encoder = new TextEncoder();
export const sha256 = (bytes: Uint8Array | string) =>
  createHash("sha256").update(bytes).digest("hex");

/** A layer's tar. */
export async function layer(files: Files, mtime = new Date("2020-02-02")): Promise<Uint8Array> {
  return await packTar(files.map(([name, content]) => {
    const { text = "", ...fields } = typeof content === "string" ? { text: content } : content;
    const type = name.endsWith("/") ? "directory" as const : "file" as const;
    const body = encoder.encode(text);
    return { header: { name, type, size: body.length, mtime, ...fields }, body };
  }));
}

/** How a built image is described. */
export interface ImageParts {
  readonly layers: readonly Uint8Array[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly created?: string;
  /** What the second step of its build is said to have been. */
  readonly step?: string;
}

function configOf(
  { layers, config = {}, step = "step 1", created = "2026-01-01T00:00:00.123456789Z" }: ImageParts,
) {
  return encoder.encode(JSON.stringify({
    architecture: "amd64",
    config,
    container: sha256(created),
    container_config: { Hostname: sha256(created).slice(0, 12) },
    created,
    docker_version: "20.10.24+dfsg1",
    history: layers.map((_, index) => ({
      created,
      created_by: index === 1 ? step : `step ${index}`,
    })),
    os: "linux",
    rootfs: { type: "layers", diff_ids: layers.map((bytes) => `sha256:${sha256(bytes)}`) },
  }));
}

/** An archive of Engine 20.10: `docker save`. A layer that comes twice is a link, as there. */
export async function legacyArchive(image: ImageParts): Promise<Uint8Array> {
  const config = configOf(image);
  const files: [string, Content | Uint8Array][] = [];
  const paths: string[] = [];
  const known = new Map<string, string>();
  for (const [index, bytes] of image.layers.entries()) {
    const id = sha256(`${image.created} ${index}`);
    const digest = sha256(bytes);
    const former = known.get(digest);
    files.push([`${id}/`, ""], [`${id}/VERSION`, "1.0"], [`${id}/json`, `{"id":"${id}"}`]);
    files.push(
      former === undefined
        ? [`${id}/layer.tar`, bytes]
        : [`${id}/layer.tar`, { type: "symlink", linkname: `../${former}/layer.tar` }],
    );
    known.set(digest, former ?? id);
    paths.push(`${id}/layer.tar`);
  }
  const name = `${sha256(config)}.json`;
  files.push([name, config]);
  files.push(["manifest.json", JSON.stringify([{ Config: name, RepoTags: null, Layers: paths }])]);
  return await archiveOf(files);
}

/** How an OCI archive is written. */
export interface OciOptions {
  readonly compress?: "gzip" | "zstd";
  /** Whether Docker's own list is there as well: engines from 25 on write it, Podman does not. */
  readonly withManifestJson?: boolean;
}

/** An archive of an engine from 25 on, or of Podman: an OCI layout in a tar. */
export async function ociArchive(
  image: ImageParts,
  { compress, withManifestJson = true }: OciOptions = {},
): Promise<Uint8Array> {
  const files = new Map<string, Content | Uint8Array>();
  const blob = (bytes: Uint8Array, mediaType: string) => {
    files.set(`blobs/sha256/${sha256(bytes)}`, bytes);
    return { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  };
  const packed = { gzip: gzipSync, zstd: zstdCompressSync };
  const kind = "application/vnd.oci.image";
  const layers = image.layers.map((bytes) =>
    blob(compress === undefined ? bytes : packed[compress](bytes), `${kind}.layer.v1.tar`)
  );
  const config = blob(configOf(image), `${kind}.config.v1+json`);
  const manifest = blob(
    encoder.encode(JSON.stringify({ schemaVersion: 2, config, layers })),
    `${kind}.manifest.v1+json`,
  );
  // Builders add what they attest of an image, as an image for no platform.
  const attested = { platform: { architecture: "unknown", os: "unknown" } };
  const index = blob(
    encoder.encode(JSON.stringify({
      schemaVersion: 2,
      manifests: [{ ...manifest, platform: { architecture: "amd64", os: "linux" } }, {
        ...blob(encoder.encode("{}"), `${kind}.manifest.v1+json`),
        ...attested,
      }],
    })),
    `${kind}.index.v1+json`,
  );
  files.set("oci-layout", '{"imageLayoutVersion": "1.0.0"}');
  files.set("index.json", JSON.stringify({ schemaVersion: 2, manifests: [index] }));
  if (withManifestJson) {
    const path = ({ digest }: { digest: string }) => `blobs/${digest.replace(":", "/")}`;
    const list = [{ Config: path(config), RepoTags: ["x:1"], Layers: layers.map(path) }];
    files.set("manifest.json", JSON.stringify(list));
  }
  return await archiveOf([...files]);
}

async function archiveOf(files: readonly (readonly [string, Content | Uint8Array])[]) {
  return await packTar(files.map(([name, content]) => {
    if (content instanceof Uint8Array || typeof content === "string") {
      const body = typeof content === "string" ? encoder.encode(content) : content;
      const type = name.endsWith("/") ? "directory" as const : "file" as const;
      return { header: { name, type, size: body.length }, body };
    }
    return { header: { name, size: 0, ...content } };
  }));
}

/** Bytes as a stream, in pieces of an odd size. */
export async function* streamOf(bytes: Uint8Array, piece = 1013): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
}

/** What a tar holds, each entry as one line: type, mode, owner, time, path, target, text. */
export async function list(tar: Uint8Array): Promise<string[]> {
  const entries = await unpackTar(tar, { strict: true });
  return entries.map(({ header: { type, mode, uid, gid, mtime, name, linkname }, data }) => {
    const text = new TextDecoder().decode(data);
    const target = linkname ? ` -> ${linkname}` : "";
    const seconds = mtime!.getTime() / 1000;
    const owner = `${uid}:${gid}`;
    return `${type} ${mode!.toString(8)} ${owner} ${seconds} ${name}${target} ${text}`.trim();
  });
}

/** A folder that is gone in the end. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** The names in a folder, in order. */
export function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}
