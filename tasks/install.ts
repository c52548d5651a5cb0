/** `deno task install`: patches of dependencies, and on request ONNX Runtime's CUDA provider. */
import { fileURLToPath } from "node:url";
import { RequestError } from "../src/errors.ts";
import {
  type AppliedPatch,
  applyPatch,
  closeFiles,
  type Patch,
  readPatches,
} from "../src/integrity/mod.ts";
import { both, texts } from "./install/texts.ts";
import { misfitLines } from "./cli/patch_misfits.ts";
import { run, task, TaskFailure } from "./cli/task.ts";
import { tell } from "./cli/print.ts";

interface Options {
  readonly json?: true;
  readonly cuda?: true;
  readonly from?: string;
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PATCHES = "patches";
/** How file systems say that a folder is not to be written. */
const NOT_WRITABLE = ["EROFS", "EACCES", "EPERM"];

const command = task("install", texts.description)
  .option("--cuda", texts.cuda)
  .option("--from <path>", texts.from)
  .addHelpText("after", `\n${texts.examples}`);

await run<Options>(command, async ({ cuda, from }) => {
  if (from !== undefined && !cuda) throw new RequestError(both((text) => text.fromNeedsCuda));
  if (cuda && (await Deno.permissions.query({ name: "read" })).state !== "granted") {
    throw new RequestError(both((text) => text.ownTask));
  }
  const patches: AppliedPatch[] = [];
  for (const patch of await readPatches(`${ROOT}${PATCHES}`)) patches.push(await apply(patch));
  // The packages were laid anew. Some are published with files that everybody may write.
  if (patches.some(({ changed }) => changed.length > 0)) closeFiles(ROOT, ["node_modules"]);
  if (!cuda) return { patches };
  // Read only now: all that it needs would slow the patches down.
  const { installCuda } = await import("./install/cuda.ts");
  return { patches, cuda: await installCuda(from) };
});

async function apply(patch: Patch): Promise<AppliedPatch> {
  const name = `${PATCHES}/${patch.name}`;
  try {
    const report = await applyPatch(patch, ROOT);
    const { state, changed } = report;
    if (state === "does-not-fit") {
      const message = [texts.doesNotFit(name), ...misfitLines(report)];
      throw new TaskFailure(message, { patch: report });
    }
    if (changed.length > 0) tell(texts.applied(name, changed.length));
    return report;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!NOT_WRITABLE.includes(code)) throw error;
    throw new TaskFailure(texts.notWritable(name, code), {});
  }
}
