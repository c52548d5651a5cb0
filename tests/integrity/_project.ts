/** A project of a few small files in the places that a list of checksums must cover. */
import { Buffer } from "node:buffer";
import { dirname, join } from "node:path";
import {
  checkFiles,
  CHECKSUM_LIST,
  CUDA_LIBRARIES,
  formatChecksums,
  LIBRARIES,
  parseChecksums,
  updateChecksums,
} from "../../src/integrity/mod.ts";
import { temporaryFolder } from "../_folders.ts";

/** This platform's library and another's, as onnxruntime-node lays them. */
const { os, arch } = Deno.build;
const HERE = `${os === "windows" ? "win32" : os}/${arch === "aarch64" ? "arm64" : "x64"}`;
export const LIBRARY = `${LIBRARIES}/${HERE}/onnxruntime_binding.node`;
export const OTHER_LIBRARY = `${LIBRARIES}/aix/ppc/onnxruntime_binding.node`;

export const WEIGHTS = "models/demo/vae/model.safetensors";
const FILES = [
  WEIGHTS,
  "models/demo/vae/config.json",
  "models/next-dit-3.5b/model.safetensors",
  "patches/one.patch",
  LIBRARY,
  OTHER_LIBRARY,
  "deno.lock",
];
/** What lies beside them and needs no checksum. */
const OTHERS = [
  "models/demo/README.md",
  "models/.DS_Store",
  "models/.cache/huggingface/x.json",
  "patches/README.md",
  `${LIBRARIES}/aix/ppc/notes.txt`,
  "README.md",
];

/** Lays the project, with its list made by `updateChecksums`. */
export async function project() {
  const folder = await temporaryFolder();
  const at = (path: string) => join(folder.path, path);
  async function write(path: string, bytes: Uint8Array | string = `This is ${path}.`) {
    await Deno.mkdir(dirname(at(path)), { recursive: true });
    await Deno.writeFile(at(path), Buffer.from(bytes as string));
  }
  for (const path of [...FILES, ...OTHERS]) await write(path);
  const list = async () =>
    parseChecksums(await Deno.readTextFile(at(CHECKSUM_LIST)), CHECKSUM_LIST);
  const it = {
    ...folder,
    at,
    write,
    list,
    files: [...FILES].sort(),
    check: async () => await checkFiles(folder.path, await list()),
    async update() {
      const before = await list().catch(() => new Map<string, string>());
      const update = await updateChecksums(folder.path, before);
      await Deno.writeTextFile(at(CHECKSUM_LIST), formatChecksums(update.checksums));
      return update;
    },
  };
  await it.update();
  return it;
}

export { CUDA_LIBRARIES };
