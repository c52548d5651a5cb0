import { dirname } from "node:path";
import { exists } from "../../src/files.ts";
import type { NewBieImagePipeline } from "../../src/pipeline/pipeline.ts";
import { text } from "./texts.ts";

/** Is there once a person was told. */
const TOLD = ".cache/told_of_create_fast";

/**
 * Says once that an NVIDIA card draws faster with the toolkit's own kernels: where ONNX Runtime's alone
 * draw because the program may not call all native code.
 *
 * @param pipe A pipeline that is loaded.
 * @param file What remembers that it was said.
 */
export async function tellOfFastKernels(
  pipe: Pick<NewBieImagePipeline, "device" | "dtype" | "arithmetic">,
  tell: (lines: readonly string[]) => void,
  file = TOLD,
): Promise<void> {
  const { device, dtype, arithmetic: { kernels } } = pipe;
  if (device !== "cuda" || kernels !== "onnxruntime" || dtype === "float32") return;
  // Otherwise the log has said why they cannot be used.
  const { state } = await Deno.permissions.query({ name: "ffi" });
  if (state === "granted" || await exists(file)) return;
  tell(text.fastKernels);
  try {
    await Deno.mkdir(dirname(file), { recursive: true });
    await Deno.writeTextFile(file, "");
  } catch {
    // Where nothing can be remembered, it is said again.
  }
}
