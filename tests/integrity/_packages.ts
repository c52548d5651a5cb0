/** Installed packages in a folder of their own, as published or patched. */
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import process from "node:process";

/** The top of the repository. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What `patches/fix_dtype.patch` changes, below the top of a project. */
export const COMMON =
  "node_modules/.deno/onnxruntime-common@1.29.0/node_modules/onnxruntime-common";
const NODE = "node_modules/.deno/onnxruntime-node@1.29.0/node_modules/onnxruntime-node";

/** A command's exit code and output. */
export async function sh(command: string, args: readonly string[], cwd: string) {
  const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args], cwd })
    .output();
  return { code, out: Buffer.from(stdout).toString(), err: Buffer.from(stderr).toString() };
}

/** Lays onnxruntime-common into a folder as Deno does, without our patch. */
export async function layCommon(folder: string): Promise<void> {
  await copyTree(join(ROOT, COMMON), join(folder, COMMON));
  // Git, not the code under test, takes the patch out where the repository's copy has it.
  const patch = join(ROOT, "patches/fix_dtype.patch");
  const { code } = await sh("git", ["apply", "--reverse", "--check", patch], folder);
  if (code === 0) await sh("git", ["apply", "--reverse", patch], folder);
}

/** Lays onnxruntime-node beside it, for this platform alone and without any CUDA provider. */
export async function layBinding(folder: string): Promise<void> {
  const isNeeded = (path: string) =>
    !/\/bin\/napi-v\d+\//.test(path) ||
    /libonnxruntime\.|onnxruntime_binding|\.dll$/.test(path) &&
      path.includes(`/${process.platform}/${process.arch}/`);
  await copyTree(join(ROOT, NODE), join(folder, NODE), isNeeded);
  const link = join(folder, NODE, "../onnxruntime-common");
  await Deno.symlink(join(folder, COMMON), link);
  await Deno.symlink(join(folder, NODE), join(folder, "node_modules/onnxruntime-node"));
}

async function copyTree(
  from: string,
  to: string,
  isNeeded: (path: string) => boolean = () => true,
): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    if (isDirectory) await copyTree(source, target, isNeeded);
    else if (isNeeded(source)) {
      await Deno.mkdir(to, { recursive: true });
      await Deno.copyFile(source, target);
    }
  }
}
