/** Gathers what an image holds besides the repository: each file by its checksum. */
import { createHash } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Ingredients, LockedPackage, Variant } from "../../../src/container/mod.ts";
import {
  CUDA_PROVIDER,
  DENO,
  installPinnedFiles,
  type PinnedFile,
  readTarball,
  standingOf,
  TINI,
} from "../../../src/integrity/mod.ts";
import { texts } from "./texts.ts";
import {} from "../engine.ts";
import { findRegistry } from "../../install/cuda.ts";
import { download, DownloadError } from "../../install/download.ts";
import { TaskFailure } from "../../cli/task.ts";
import { ProgressLine } from "../../cli/progress.ts";
import { formatBytes } from "../../../src/format_bytes.ts";
import { tell } from "../../cli/print.ts";

/** A file that is fetched once, and proved. */
interface Wanted {
  readonly file: string;
  /** One of them serves it. */
  readonly urls: readonly string[];
  readonly integrity: string;
  readonly bytes?: number;
}

/** Small files come together. */
const CONNECTIONS = 4;
/** Debian removes old packages from its mirrors, and keeps them for ever in its archive. */
const DEBIAN = [
  "https://deb.debian.org/debian/pool/main/t/tini",
  "https://snapshot.debian.org/archive/debian/20250601T000000Z/pool/main/t/tini",
];
/** Where `deno task install:cuda` puts the CUDA provider. */
const INSTALLED_CUDA = `node_modules/.deno/onnxruntime-node@${CUDA_PROVIDER.onnxruntime}` +
  "/node_modules/onnxruntime-node/bin/napi-v6/linux/x64";

/**
 * Puts everything into a folder, or finds it there; what is on this machine already is not fetched.
 *
 * @throws {TaskFailure} When something cannot be had.
 */
export async function gatherIngredients(
  packages: readonly LockedPackage[],
  variant: Variant,
  { root, cache, signal }: {
    readonly root: string;
    readonly cache: string;
    readonly signal: AbortSignal;
  },
): Promise<Ingredients> {
  const registry = await findRegistry(
    (name) => Deno.env.get(name),
    [join(root, ".npmrc"), join(homedir(), ".npmrc")],
  );
  const tarballOf = (name: string, version: string) =>
    join(cache, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
  const fromNpm = (name: string, version: string, integrity: string, bytes?: number): Wanted => ({
    file: tarballOf(name, version),
    urls: [`${registry}${name}/-/${name.split("/").at(-1)}-${version}.tgz`],
    integrity,
    ...(bytes === undefined ? {} : { bytes }),
  });

  const tini = join(cache, TINI.package.name);
  const wanted = [
    ...packages.map(({ name, version, integrity }) => fromNpm(name, version, integrity)),
    {
      file: tini,
      urls: DEBIAN.map((folder) => `${folder}/${encodeURIComponent(TINI.package.name)}`),
      integrity: `sha256-${btoa(String.fromCharCode(...bytesOfHex(TINI.package.sha256)))}`,
      bytes: TINI.package.bytes,
    },
  ];
  const deno = await findDeno(cache);
  const denoTarball = fromNpm(
    DENO.package,
    DENO.version,
    DENO.tarball.integrity,
    DENO.tarball.bytes,
  );
  if (deno === undefined) wanted.push(denoTarball);
  const cuda = variant === "cpu" ? undefined : await findCuda(root, cache);
  const { package: name, version, tarball } = CUDA_PROVIDER;
  const cudaTarball = fromNpm(name, version, tarball.integrity, tarball.bytes);
  if (cuda === null) wanted.push(cudaTarball);

  await mkdir(cache, { recursive: true });
  await fetchAll(wanted, registry, signal);
  if (deno === undefined) await unpack([DENO.binary], denoTarball.file, cache);
  if (cuda === null) await unpack(CUDA_PROVIDER.libraries, cudaTarball.file, cache);
  return {
    deno: deno ?? join(cache, DENO.binary.name),
    tini,
    tarball: ({ name, version }) => tarballOf(name, version),
    ...(variant === "cpu" ? {} : { cuda: cuda ?? cache }),
  };
}

/** The pinned Deno where it is on this machine: the running one, or that of a build before. */
async function findDeno(cache: string): Promise<string | undefined> {
  const { name, bytes, sha256 } = DENO.binary;
  const running = Deno.execPath();
  const [folder, ownName] = [join(running, ".."), running.split("/").at(-1)!];
  const isPinned = await standingOf({ name: ownName, bytes, sha256 }, folder) === "in-place";
  if (isPinned) return running;
  return await standingOf(DENO.binary, cache) === "in-place" ? join(cache, name) : undefined;
}

/** The folder with the pinned libraries; null where they have to be fetched. */
async function findCuda(root: string, cache: string): Promise<string | null> {
  for (const folder of [join(root, INSTALLED_CUDA), cache]) {
    const standings = await Promise.all(
      CUDA_PROVIDER.libraries.map((library) => standingOf(library, folder)),
    );
    if (standings.every((standing) => standing === "in-place")) return folder;
  }
  return null;
}

async function unpack(
  files: readonly PinnedFile[],
  tarball: string,
  folder: string,
): Promise<void> {
  await installPinnedFiles(files, readTarball((await Deno.open(tarball)).readable), folder);
}

async function fetchAll(
  wanted: readonly Wanted[],
  registry: string,
  signal: AbortSignal,
): Promise<void> {
  const isMissing = await Promise.all(wanted.map(async (item) => !await isThere(item)));
  const missing = wanted.filter((_, index) => isMissing[index]);
  if (missing.length === 0) return;
  const hosts = new Set([new URL(registry).host]);
  if (missing.some(({ urls }) => urls.length > 1)) {
    for (const url of DEBIAN) hosts.add(new URL(url).host);
  }
  for (const host of hosts) await Deno.permissions.request({ name: "net", host });
  tell(texts.fetching(missing.length, [...hosts].join(", ")));

  const line = new ProgressLine();
  const received = new Map<Wanted, number>();
  const queue = missing.values();
  let done = 0;
  const work = async () => {
    for (const item of queue) {
      await fetchOne(item, signal, (bytes) => {
        received.set(item, bytes);
        const sum = received.values().reduce((total, part) => total + part, 0);
        line.draw(() => `${done}/${missing.length}, ${formatBytes(sum)}`);
      });
      done++;
    }
  };
  try {
    await Promise.all(Array.from({ length: CONNECTIONS }, work));
  } finally {
    line.clear();
  }
}

async function fetchOne(
  { file, urls, integrity, bytes }: Wanted,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const part = `${file}.part`;
  let failure: DownloadError | undefined;
  for (const url of urls) {
    try {
      await download(url, part, { bytes, integrity }, onProgress, signal);
      await rename(part, file);
      return;
    } catch (error) {
      // Small files begin anew, and large ones go on.
      if (bytes === undefined) await rm(part, { force: true });
      signal.throwIfAborted();
      if (error instanceof Deno.errors.NotCapable) {
        throw new TaskFailure(texts.noNetPermission(new URL(url).host, file), {});
      }
      if (!(error instanceof DownloadError)) throw error;
      failure ??= error;
    }
  }
  const url = urls[0]!;
  throw new TaskFailure(texts.download(url, failure!.problem, file), {
    url,
    problem: failure!.problem,
  });
}

async function isThere({ file, integrity }: Wanted): Promise<boolean> {
  const hash = createHash(integrity.slice(0, integrity.indexOf("-")));
  let source: Deno.FsFile;
  try {
    source = await Deno.open(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  for await (const chunk of source.readable) hash.update(chunk);
  return integrity.endsWith(`-${hash.digest("base64")}`);
}

function bytesOfHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g)!, (digits) => parseInt(digits, 16));
}
