import { link, mkdir, rm } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import proto from "onnx-proto";
import { NewBieError, RequestError } from "../errors.ts";
import { exists, writeNewFile } from "../files.ts";
import { UnfinishedFile } from "../unfinished.ts";
import type { CompiledGraph } from "./graph.ts";
import { weightsInMemory } from "./weights_in_memory.ts";

/**
 * Writes a graph as an .onnx file that viewers open and ONNX Runtime runs.
 *
 * ONNX Runtime reads weights only from the folder of the .onnx file or below it. Where the weights
 * lie elsewhere, their files get second names (hard links) beside it: those take no room on the
 * disk, and `x.onnx` gets `x.model.safetensors`. Weights in GGUF's blocks no operator reads: of them
 * `x.onnx` gets an unpacked copy, `x.weights.bin`.
 *
 * @param path The new file; its folder is made where it is missing.
 * @returns The weights files that got a second name, by that name, or the unpacked copy.
 * @throws {RequestError} When the file, or a second name that it needs, is there already.
 * @throws {NewBieError} When the file system cannot give second names, such as from one disk to
 *   another.
 */
export async function writeGraph(
  graph: CompiledGraph,
  path: string,
): Promise<readonly string[]> {
  const { model, weightFolder } = graph;
  const target = resolve(path);
  const folder = dirname(target);
  if (await exists(target)) throw taken(path);
  const decoded = proto.onnx.ModelProto.decode(model);
  const locations = new Map<string, string>();
  if (graph.memory !== undefined) return await writeWithWeights(graph, decoded, target);
  const places: { value?: string | null }[] = [];
  for (const { externalData } of decoded.graph?.initializer ?? []) {
    const place = externalData?.find(({ key }) => key === "location");
    if (place?.value) places.push(place);
  }
  const linked: string[] = [];
  await mkdir(folder, { recursive: true });
  try {
    for (const place of places) {
      const source = resolve(weightFolder ?? ".", place.value!);
      let location = locations.get(source);
      if (location === undefined) {
        location = relative(folder, source).split(sep).join("/");
        if (location.startsWith("..")) {
          location = `${basename(target, ".onnx")}.${basename(source)}`;
          await giveSecondName(source, join(folder, location));
          linked.push(join(folder, location));
        }
        locations.set(source, location);
      }
      place.value = location;
    }
    await writeNewFile([target], proto.onnx.ModelProto.encode(decoded).finish());
  } catch (error) {
    for (const name of linked) await rm(name, { force: true });
    throw error;
  }
  return linked;
}

/** Writes a graph, and its weights as they would be in memory into a file beside it. */
async function writeWithWeights(
  graph: CompiledGraph,
  model: proto.onnx.ModelProto,
  target: string,
): Promise<readonly string[]> {
  const name = `${basename(target, ".onnx")}.weights.bin`;
  const path = join(dirname(target), name);
  if (await exists(path)) throw taken(path);
  await mkdir(dirname(target), { recursive: true });
  const memory = await weightsInMemory(graph);
  const offsets = new Map<string, number>();
  await using file = await UnfinishedFile.create(path);
  let written = 0;
  for (const [name, bytes] of Object.entries(memory)) {
    offsets.set(name, written);
    await file.write(bytes);
    written += bytes.length;
  }
  for (const { externalData } of model.graph?.initializer ?? []) {
    const place = externalData?.find(({ key }) => key === "location");
    const offset = externalData?.find(({ key }) => key === "offset");
    if (!place?.value || !offset) continue;
    offset.value = String(offsets.get(place.value)!);
    place.value = name;
  }
  await file.keep();
  try {
    await writeNewFile([target], proto.onnx.ModelProto.encode(model).finish());
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return [path];
}

async function giveSecondName(file: string, name: string): Promise<void> {
  if (await exists(name)) throw taken(name);
  try {
    await link(file, name);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new NewBieError(
      `${file} cannot get a second name beside the graph (${code}). Give a file on the same disk ` +
        `as the weights, or in their folder: ${dirname(file)}`,
      {
        cause,
        zh: `无法在计算图旁边为 ${file} 建立硬链接（${code}）。请把文件写到权重所在的磁盘，` +
          `或写入权重的文件夹：${dirname(file)}`,
      },
    );
  }
}

function taken(path: string): RequestError {
  return new RequestError(`${path} is there already. Remove it, or give another name.`, {
    zh: `${path} 已经存在。请将其删除，或改用别的名字。`,
  });
}
