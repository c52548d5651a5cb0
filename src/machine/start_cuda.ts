import { bindingFolder, CUDA_PROVIDER_FILES } from "../runtime/binding_folder.ts";
import type { Host } from "./host.ts";

/** Is there where a driver for NVIDIA's GPUs works, but for Windows' Linux. */
const DRIVER = "/dev/nvidiactl";

/**
 * Begins to load CUDA's libraries and to start a GPU, where there may be one: a third of a second that
 * another thread spends while this one goes on. Whether it works, {@linkcode chooseDevice} finds out.
 *
 * @param onBegin Is called when there may be one, before it is begun.
 */
export async function startCuda(
  host: Host,
  deviceId: number,
  onBegin: () => void = () => {},
): Promise<void> {
  const { os, arch } = host.system();
  if (os !== "linux" || arch !== "x86_64" || !await host.exists(DRIVER)) return;
  const { state } = await Deno.permissions.query({ name: "ffi" });
  const folder = bindingFolder({ os, arch });
  const provider = `${folder}/${CUDA_PROVIDER_FILES[0]}`;
  if (state !== "granted" || !await host.exists(provider)) return;
  onBegin();
  // The environment is the binding's, which makes it when it is loaded.
  await import("../runtime/session.ts");
  const { openCApi } = await import("../runtime/native/c_api.ts");
  await openCApi(folder).startCuda(deviceId);
}
