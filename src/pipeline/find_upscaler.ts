import { join } from "node:path";
import { RequestError } from "../errors.ts";
import { exists } from "../files.ts";

/** Where networks that enlarge pictures lie. */
export const UPSCALERS = "models/upscaler";

const ENDING = ".safetensors";

/** The networks that lie there, by their names. */
export async function upscalerNames(folder = UPSCALERS): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (!isDirectory && !name.startsWith(".") && name.endsWith(ENDING)) {
        names.push(name.slice(0, -ENDING.length));
      }
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

/**
 * The file of a network.
 *
 * @param name A path, or a name in {@linkcode UPSCALERS}, with its ending or without.
 * @throws {RequestError} When there is none.
 */
export async function findUpscaler(name: string): Promise<string> {
  const places = [name, join(UPSCALERS, name), join(UPSCALERS, name + ENDING)];
  for (const place of places) if (await exists(place)) return place;
  const names = await upscalerNames();
  const there = names.length === 0 ? "" : names.join(", ");
  throw new RequestError(
    `There is no upscaler ${
      JSON.stringify(name)
    }: expected lanczos, latent, a safetensors file, or a ` +
      `name in ${UPSCALERS}/` + (there === "" ? ", which has none yet." : `: ${there}.`),
    {
      zh: `没有放大器 ${JSON.stringify(name)}：应为 lanczos、latent、safetensors 文件，` +
        `或 ${UPSCALERS}/ 中的名称` + (there === "" ? "（其中还没有）。" : `：${there}。`),
    },
  );
}
