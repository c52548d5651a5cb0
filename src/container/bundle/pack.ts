/**
 * The toolkit as one archive for machines with no network, no npm and no container engine.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, readlink, realpath, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { NewBieError } from "../../errors.ts";
import { installedPackages, isNeverRun, LIBRARIES, SOURCE_LIST } from "../../integrity/mod.ts";
import { type RequiredVersions, requiredVersions } from "../../machine/required_versions.ts";
import { UnfinishedFile } from "../../unfinished.ts";
import { plainFile, readSegments, sizeOf, tarOf, type TarPart } from "../archive/segments.ts";
import { isLicenseText, type LicensedPackage, LICENSES, licensesText } from "../engine/licenses.ts";
import { sourceList } from "../engine/sources.ts";
import { findModelFiles } from "./_model_files.ts";

/** How to pack. */
export interface PackOptions {
  /** The top of the toolkit: a checkout. */
  readonly root: string;
  /** The files that git tracks, with whether they can be executed. */
  readonly files: readonly { readonly path: string; readonly isExecutable: boolean }[];
  /** The pinned Deno. */
  readonly deno: string;
  /** The name of the folder in the archive, such as `newbie-0.1.0-linux-x64`. */
  readonly name: string;
  /** The new archive. */
  readonly out: string;
  /** Seconds since 1970, of everything in it. */
  readonly time: number;
  /** Whether the real model comes along, where it is. */
  readonly withModels: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What was packed. */
export interface Pack {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** How many files of the real model came along. */
  readonly weights: number;
  /** The oldest libraries of the system with which it runs. */
  readonly needs: RequiredVersions;
}

/** What nobody needs who only draws. */
const LEFT_OUT = [".ci/", "bench/", "tests/", "training/"];
const PACKAGES = "node_modules";
/** The libraries of the machine that it is packed for. */
const OWN_LIBRARIES = `${LIBRARIES}/linux/x64/`;
const ONNX_BINARIES = `${dirname(LIBRARIES)}/`;
/** What Deno and builds keep for themselves. */
const CACHES = ["node_modules/.cache"];
const EXECUTABLE = 0o755;
const ELF = /(?:^|\/)(?:deno|[^/]+\.so(?:\.\d+)*|[^/]+\.node)$/;
/** Where Deno lays a package's files. */
const INSTALLED = /^node_modules\/\.deno\/[^/]+\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(.+)$/;

/**
 * Writes an archive with the toolkit's files, the packages as they lie here, Deno itself, and the
 * real model: unpacked anywhere, `./newbie test` runs. The same files give the same bytes. Links to
 * other disks are followed; those that packages need among themselves stay, and lead nowhere else.
 *
 * @throws {BundleError} When weights are not in `checksums.txt`.
 * @throws {Error} What the file system reports.
 * @throws The signal's reason, when it was aborted.
 */
export async function makePack(options: PackOptions): Promise<Pack> {
  const { root, files, deno, name, out, time, withModels, signal, onProgress } = options;
  const parts: TarPart[] = [];
  const libraries = [deno];
  const put = (path: string, bytes: Uint8Array, mode?: number) =>
    parts.push({
      header: plainFile(inTar(`${name}/${path}`), bytes.length, time, mode),
      content: [{ bytes }],
    });
  const putFile = async (path: string, file: string, isExecutable: boolean) => {
    const { size } = await stat(file);
    parts.push({
      header: plainFile(
        inTar(`${name}/${path}`),
        size,
        time,
        isExecutable ? EXECUTABLE : undefined,
      ),
      content: [{ file, size }],
    });
  };

  const sources = await Promise.all(
    files.filter(({ path }) => !LEFT_OUT.some((folder) => path.startsWith(folder)))
      .map(async (file) => ({ ...file, bytes: await readFile(join(root, file.path)) })),
  );
  for (const { path, isExecutable, bytes } of sources) {
    put(path, bytes, isExecutable ? EXECUTABLE : undefined);
  }
  const launcher = {
    path: "newbie",
    isExecutable: true,
    bytes: new TextEncoder().encode(LAUNCHER),
  };
  put(launcher.path, launcher.bytes, EXECUTABLE);
  // Without git this list tells verify what the code has to be.
  put(SOURCE_LIST, sourceList([...sources, launcher]));
  await putFile("bin/deno", deno, true);
  const weights = withModels ? await findModelFiles(root) : [];
  for (const { path, file } of weights) await putFile(path, file, false);
  for await (const entry of packageEntries(root)) {
    if (entry.target === undefined) {
      const file = join(root, entry.path);
      if (ELF.test(entry.path)) libraries.push(file);
      await putFile(entry.path, file, entry.isExecutable);
    } else {
      const header = plainFile(inTar(`${name}/${entry.path}`), 0, time, 0o777);
      parts.push({ header: { ...header, type: "symlink", target: entry.target }, content: [] });
    }
  }
  put(
    LICENSES,
    new TextEncoder().encode(licensesText(await licensedPackages(root), { tini: false })),
  );
  const needs = await requiredVersions(libraries);
  put("HOST.txt", new TextEncoder().encode(hostText(needs)));

  parts.sort((a, b) => a.header.path < b.header.path ? -1 : 1);
  const segments = tarOf(parts, "gnu");
  const total = sizeOf(segments);
  const hash = createHash("sha256");
  await mkdir(dirname(resolve(out)), { recursive: true });
  await using archive = await UnfinishedFile.create(out);
  let done = 0;
  for await (const piece of readSegments(segments)) {
    signal?.throwIfAborted();
    hash.update(piece);
    await archive.write(piece);
    onProgress?.(done += piece.length, total);
  }
  if (!await archive.keepNew()) {
    throw new NewBieError(`${out} is there already. Remove it, or choose another with --out.`, {
      zh: `${out} 已存在。请删除它，或用 --out 选择其他位置。`,
    });
  }
  return { path: out, bytes: total, sha256: hash.digest("hex"), weights: weights.length, needs };
}

async function licensedPackages(root: string): Promise<LicensedPackage[]> {
  return await Promise.all((await installedPackages(root)).map(async ({ key, name, path }) => {
    const names = (await readdir(join(root, path))).filter(isLicenseText).sort();
    const texts = names.map(async (file): Promise<[string, string]> => [
      file,
      await readFile(join(root, path, file), "utf8"),
    ]);
    const { license } = JSON.parse(await readFile(join(root, path, "package.json"), "utf8"));
    return {
      name,
      version: key.slice(name.length + 1),
      license: typeof license === "string" ? license : undefined,
      texts: await Promise.all(texts),
    };
  }));
}

/** A file or link of the packages. */
interface PackageEntry {
  /** From the top of the toolkit, with `/`. */
  readonly path: string;
  readonly isExecutable: boolean;
  /** What a link leads to, from its folder. */
  readonly target?: string;
}

/** All that lies in node_modules and can run on the machine that it is packed for. */
async function* packageEntries(root: string, folder = PACKAGES): AsyncGenerator<PackageEntry> {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = `${folder}/${entry.name}`;
    const [, packageName, inside] = INSTALLED.exec(path) ?? [];
    if (CACHES.includes(path)) continue;
    if (entry.isDirectory()) {
      const isForeign = path.startsWith(ONNX_BINARIES) && !OWN_LIBRARIES.startsWith(`${path}/`) &&
        !`${path}/`.startsWith(OWN_LIBRARIES);
      const isUseless = packageName !== undefined && isNeverRun(packageName, `${inside}/`);
      if (!isForeign && !isUseless) yield* packageEntries(root, path);
    } else if (entry.isSymbolicLink()) {
      yield { path, isExecutable: false, target: await targetOf(root, path) };
    } else if (entry.isFile()) {
      const { mode } = await stat(join(root, path));
      yield { path, isExecutable: (mode & 0o111) !== 0 };
    }
  }
}

/** @throws {NewBieError} When a link leads out of the packages. */
async function targetOf(root: string, path: string): Promise<string> {
  const target = await readlink(join(root, path));
  const real = await realpath(join(root, path));
  const top = await realpath(join(root, PACKAGES));
  if (relative(top, real).startsWith("..")) {
    throw new NewBieError(
      `${path} is a link that leads out of ${PACKAGES}. Lay the packages anew: delete ${PACKAGES} and ` +
        "run deno install --frozen.",
      {
        zh:
          `${path} 是指向 ${PACKAGES} 之外的链接。请删除 ${PACKAGES} 并运行 deno install --frozen。`,
      },
    );
  }
  const folder = await realpath(join(root, dirname(path)));
  // Relative, wherever it is unpacked.
  return (target.startsWith("/") ? relative(folder, real) : target).replaceAll("\\", "/");
}

/** Names in archives have one character for each byte. */
function inTar(path: string): string {
  return Array.from(new TextEncoder().encode(path), (byte) => String.fromCharCode(byte)).join("");
}

/** Starts a task with the Deno that lies beside it, from whatever folder, and by links to it. */
const LAUNCHER = `#!/bin/sh
# ./newbie test, ./newbie create …: a task of the toolkit, with the Deno in bin/ and nothing else.
self=$0
while [ -h "$self" ]; do
  target=$(readlink "$self")
  case $target in
    /*) self=$target ;;
    *) self=$(dirname "$self")/$target ;;
  esac
done
here=$(CDPATH= cd "$(dirname "$self")" && pwd)
[ $# -gt 0 ] || set -- test
PATH=$here/bin:$PATH DENO_NO_UPDATE_CHECK=1 exec "$here/bin/deno" task --quiet --config "$here/deno.json" "$@"
`;

function hostText(needs: RequiredVersions): string {
  const [c, cpp] = [needs.get("GLIBC"), needs.get("GLIBCXX")];
  return `Runs on Linux on x86-64 with glibc ${c} or newer (Debian 10, Ubuntu 20.04, RHEL 8 and
later) and libstdc++ with GLIBCXX_${cpp}; not on musl (Alpine). For an NVIDIA GPU it needs the
driver (580 or newer), CUDA 13 and cuDNN 9. ./newbie doctor says what is missing.

需要 x86-64 上的 Linux，glibc ${c} 或更新（Debian 10、Ubuntu 20.04、RHEL 8 及以后），以及提供
GLIBCXX_${cpp} 的 libstdc++；不支持 musl（Alpine）。使用 NVIDIA 显卡还需要驱动（580 或更新）、
CUDA 13 和 cuDNN 9。./newbie doctor 会指出缺少什么。
`;
}
