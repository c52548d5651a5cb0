/** The real model's files, and the checksums that they must have. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { CHECKSUM_LIST, filesBelow, hashFile, parseChecksums } from "../../integrity/mod.ts";
import { BundleError } from "./bundle_error.ts";

/** A file that comes with the image. */
export interface ModelFile {
  /** Below the top of the project, with `/`. */
  readonly path: string;
  /** Where it lies. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

const MODELS = "models";
/** In the repository, and so in the image. */
const DEMO = "models/demo";
/** Texts for people are in no list of checksums. */
const TEXT = /\.md$/;

/**
 * Finds the files of the real model, if there is one. They are not read yet, but for texts.
 *
 * @param root The top of the project.
 * @throws {BundleError} When one is not in `checksums.txt`.
 */
export async function findModelFiles(root: string): Promise<ModelFile[]> {
  const paths = await modelFilesOf(root);
  if (paths.length === 0) return [];
  const list = await readFile(join(root, CHECKSUM_LIST), "utf8").catch((error) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  });
  const checksums = parseChecksums(list, CHECKSUM_LIST);
  const unlisted = paths.filter((path) => !checksums.has(path) && !TEXT.test(path));
  if (unlisted.length > 0) throw unlistedFiles(unlisted);
  return await Promise.all(paths.map(async (path) => {
    const file = join(root, path);
    const sha256 = checksums.get(path) ?? await hashFile(file);
    return { path, file, bytes: (await stat(file)).size, sha256 };
  }));
}

async function modelFilesOf(root: string): Promise<string[]> {
  const paths = (await filesBelow(root, MODELS, () => true))
    .filter((path) => !path.startsWith(`${DEMO}/`));
  const areFiles = await Promise.all(
    paths.map((path) => stat(join(root, path)).then((found) => found.isFile(), () => false)),
  );
  return paths.filter((_, index) => areFiles[index]).sort();
}

function unlistedFiles(files: readonly string[]): BundleError {
  return new BundleError("weights", {
    en: `checksums.txt does not list ${files.join(", ")}. List what lies there now, ` +
      "deno task checksums --write, or bundle without weights: --no-models",
    zh: `checksums.txt 没有列出 ${files.join("、")}。请列入现有文件：` +
      "deno task checksums --write，或不带权重打包：--no-models",
  }, { files });
}
