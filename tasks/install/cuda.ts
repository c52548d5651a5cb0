/** Puts ONNX Runtime's CUDA provider beside its binding. */
import { mkdir, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { RequestError } from "../../src/errors.ts";
import {
  CUDA_PROVIDER,
  installPinnedFiles,
  type NamedStream,
  PinError,
  readTarball,
  standingOf,
} from "../../src/integrity/mod.ts";
// Not from mod.ts: it would load ONNX Runtime, which this task has no permission for.
import { readBinding } from "../../src/machine/binding.ts";
import { localHost } from "../../src/machine/host.ts";
import { download, DownloadError } from "./download.ts";
import { formatBytes } from "../../src/format_bytes.ts";
import { ProgressLine } from "../cli/progress.ts";
import { both, texts } from "./texts.ts";
import { TaskFailure } from "../cli/task.ts";
import { tell } from "../cli/print.ts";

/** What `--json` says of the provider. */
export interface CudaInstallation {
  readonly folder: string;
  /** False when it was there before. */
  readonly changed: boolean;
  readonly libraries: readonly { readonly name: string; readonly sha256: string }[];
  /** Libraries that the provider needs besides, and whether the loader finds them. */
  readonly needs: readonly { readonly name: string; readonly state: string }[];
}

const CACHE = fileURLToPath(new URL("../../node_modules/.cache/newbie", import.meta.url));
const REGISTRY = "https://registry.npmjs.org/";

/**
 * Installs the CUDA provider, or finds it installed.
 *
 * @param from A tarball or a folder that has it; by default it comes from npm's registry.
 * @throws {RequestError} When there is no such tarball or folder.
 * @throws {TaskFailure} When it cannot be installed; what was there before is as it was.
 */
export async function installCuda(from?: string): Promise<CudaInstallation> {
  const refusal = refusePlatform(Deno.build);
  if (refusal !== undefined) throw new TaskFailure(refusal, {});
  const { folder, version = texts.noPackage } = await describe();
  if (version !== CUDA_PROVIDER.onnxruntime) throw new TaskFailure(texts.version(version), {});

  await mkdir(CACHE, { recursive: true });
  using _lock = await lock(join(CACHE, "lock"));
  const changed = !await isInPlace(folder);
  const shown = relative(".", folder);
  if (changed) {
    await install(from, folder).catch((error) => {
      throw asFailure(error, shown, from);
    });
  }
  tell(changed ? texts.done(shown) : texts.inPlace);
  return { folder: shown, changed, libraries: CUDA_PROVIDER.libraries, needs: await tellNeeds() };
}

/** Why there is no provider for a platform; undefined where there is one. */
export function refusePlatform({ os, arch }: { os: string; arch: string }): string | undefined {
  return os === "linux" && arch === "x86_64" ? undefined : texts.platform(os, arch);
}

/**
 * The npm registry that is configured: by a variable, by the project's .npmrc, or by the user's.
 *
 * @throws {RequestError} When it is not an http URL.
 */
export async function findRegistry(
  env: (name: string) => string | undefined,
  npmrc: readonly string[],
): Promise<string> {
  let value = env("NPM_CONFIG_REGISTRY") || env("npm_config_registry");
  for (const path of npmrc) {
    if (value) break;
    const text = await Deno.readTextFile(path).catch(() => "");
    value = /^\s*registry\s*=\s*"?([^\s"]+)/m.exec(text)?.[1];
  }
  value ||= REGISTRY;
  if (!URL.canParse(value) || !/^https?:/.test(value)) {
    throw new RequestError(both((text) => text.badRegistry(value)));
  }
  return value.endsWith("/") ? value : `${value}/`;
}

async function describe() {
  return await readBinding(localHost(), () => Promise.resolve());
}

async function lock(path: string): Promise<Deno.FsFile> {
  const file = await Deno.open(path, { write: true, create: true });
  if (!await file.tryLock(true)) {
    tell(texts.waiting);
    await file.lock(true);
  }
  return file;
}

async function isInPlace(folder: string): Promise<boolean> {
  for (const file of CUDA_PROVIDER.libraries) {
    if (await standingOf(file, folder) !== "in-place") return false;
  }
  return true;
}

async function install(from: string | undefined, folder: string): Promise<void> {
  const tarball = from ?? await fetchTarball();
  await installPinnedFiles(CUDA_PROVIDER.libraries, open(tarball), folder);
  if (from === undefined) await rm(tarball, { force: true });
}

/** @returns Where the tarball lies, proved to be the pinned one. */
async function fetchTarball(): Promise<string> {
  const { package: name, version, tarball } = CUDA_PROVIDER;
  const npmrc = [".npmrc", join(homedir(), ".npmrc")];
  const registry = await findRegistry((variable) => Deno.env.get(variable), npmrc);
  const { host } = new URL(registry);
  const { state } = await Deno.permissions.request({ name: "net", host });
  if (state !== "granted") throw new TaskFailure(texts.noNetPermission(host), {});
  const url = `${registry}${name}/-/${name}-${version}.tgz`;
  const target = join(CACHE, `${name}-${version}.tgz.part`);
  tell(texts.downloading(host));
  // What was fetched before says nothing about the speed, so it begins at the first bytes.
  let line: ProgressLine | undefined;
  try {
    await download(url, target, tarball, (bytes) => {
      line ??= new ProgressLine(bytes);
      line.show(bytes, tarball.bytes, ({ bar, left }) => {
        return texts.progress(bar, formatBytes(bytes), formatBytes(tarball.bytes), left);
      });
    });
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    throw new TaskFailure(texts.download(url, error.problem), { url, problem: error.problem });
  } finally {
    line?.clear();
  }
  return target;
}

async function* open(from: string): AsyncGenerator<NamedStream> {
  const { isDirectory } = await Deno.stat(from).catch(() => {
    throw new RequestError(both((text) => text.noSuchSource(from)));
  });
  if (!isDirectory) {
    yield* readTarball((await Deno.open(from)).readable);
    return;
  }
  const inPackage = CUDA_PROVIDER.folder;
  const folders = ["", inPackage, inPackage.slice(inPackage.indexOf("/") + 1)];
  for (const { name } of CUDA_PROVIDER.libraries) {
    for (const folder of folders) {
      const path = join(from, folder, name);
      const file = await Deno.open(path).catch(() => undefined);
      if (file === undefined) continue;
      yield { path, body: file.readable };
      break;
    }
  }
}

/** Says what the provider needs besides, and whether the loader finds it. */
async function tellNeeds(): Promise<CudaInstallation["needs"]> {
  const { cuda: { libraries: { found } } } = await describe();
  const missing = found.filter(({ state }) => state === "missing").map(({ name }) => name);
  const elsewhere = found.flatMap(({ state, path }) =>
    state === "elsewhere" ? [dirname(path!)] : []
  );
  const isComplete = missing.length + elsewhere.length === 0;
  const list = (items: readonly string[]) => [...new Set(items)].join(texts.separator);
  if (missing.length > 0) tell(texts.missing(list(missing)));
  if (elsewhere.length > 0) tell(texts.elsewhere(list(elsewhere)));
  tell(isComplete ? texts.complete : texts.doctor);
  return found.map(({ name, state }) => ({ name, state }));
}

function asFailure(error: unknown, folder: string, from: string = CUDA_PROVIDER.package): unknown {
  if ((error as NodeJS.ErrnoException).code === "ENOSPC") {
    return new TaskFailure(texts.diskFull(folder), {});
  }
  if (!(error instanceof PinError)) return error;
  const { code, subject } = error;
  const message = { damaged: texts.damaged, absent: texts.absent, "other-bytes": texts.otherBytes };
  return new TaskFailure(message[code](from, subject), { problem: { code, subject } });
}
