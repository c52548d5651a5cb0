import { basename, join } from "node:path";
import { RequestError } from "../errors.ts";
import { exists, isFolder, isMissing, wayFromHere } from "../files.ts";
import { hashCachedFile } from "../integrity/mod.ts";
import { findWeights } from "../safetensors/mod.ts";

/** Where networks that enlarge pictures lie. */
export const UPSCALERS = "models/upscaler";

const ENDINGS = [".safetensors", ".sft"] as const;
/** Networks are mostly shared as pickles, which are refused when they are opened, with the reason. */
const PICKLED_ENDINGS = [".pth", ".pt"] as const;

/** A network that enlarges pictures. */
export interface FoundUpscaler {
  /** As in {@linkcode upscalerNames}, or the way to its file from here, or that file's name alone. */
  readonly name: string;
  /** Its safetensors file. */
  readonly file: string;
  /** Set where another file of the name was asked for, by its checksum. */
  readonly isOther?: true;
}

/** How to look for one. */
export interface FindUpscalerOptions {
  /** Its file's SHA-256, where that is known: what has it counts before what has the name. */
  readonly sha256?: string | undefined;
  /** Remembers checksums; none without it. */
  readonly cacheFile?: string | undefined;
  /** @default {UPSCALERS} */
  readonly folder?: string;
}

/** The networks that lie in {@linkcode UPSCALERS}, by their names. */
export async function upscalerNames(folder = UPSCALERS): Promise<readonly string[]> {
  return [...(await upscalersIn(folder)).keys()];
}

/**
 * A network, by its name or its checksum.
 *
 * @param name A path, or a name in {@linkcode UPSCALERS}, with its ending or without.
 * @throws {RequestError} When there is none.
 */
export async function findUpscaler(
  name: string,
  { sha256, cacheFile, folder = UPSCALERS }: FindUpscalerOptions = {},
): Promise<FoundUpscaler> {
  const named = await namedUpscaler(name, folder);
  if (sha256 === undefined && named !== undefined) return named;
  const there = await upscalersIn(folder);
  if (sha256 !== undefined) {
    const others = [...there].map(([name, file]): FoundUpscaler => ({ name, file }));
    for (const candidate of named === undefined ? others : [named, ...others]) {
      if (await hashCachedFile(candidate.file, cacheFile) === sha256) return candidate;
    }
    if (named !== undefined) return { ...named, isOther: true };
  }
  throw noUpscaler(name, [...there.keys()], sha256);
}

/** Files by their names, in the order of these. */
async function upscalersIn(folder: string): Promise<ReadonlyMap<string, string>> {
  const files: [name: string, file: string][] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const ending = ENDINGS.find((ending) => name.endsWith(ending));
      if (isDirectory || name.startsWith(".") || ending === undefined) continue;
      files.push([name.slice(0, -ending.length), join(folder, name)]);
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return new Map(files.sort(([a], [b]) => a < b ? -1 : 1));
}

async function namedUpscaler(name: string, folder: string): Promise<FoundUpscaler | undefined> {
  const endings = ["", ...ENDINGS, ...PICKLED_ENDINGS];
  const inFolder = endings.map((ending) => join(folder, name + ending));
  for (const place of [name, ...inFolder]) {
    if (!await exists(place)) continue;
    const isOwn = place !== name;
    const ending = ENDINGS.find((ending) => place.endsWith(ending)) ?? "";
    return {
      name: isOwn ? basename(place).slice(0, -ending.length || undefined) : wayFromHere(place),
      file: await isFolder(place) ? await findWeights(place) : place,
    };
  }
  return undefined;
}

/** Digits of a checksum that tell files apart. */
const SHOWN_DIGITS = 12;

function noUpscaler(
  name: string,
  names: readonly string[],
  sha256: string | undefined,
): RequestError {
  const asked = JSON.stringify(name);
  const there = names.join(", ");
  if (sha256 !== undefined) {
    const digits = `SHA-256 ${sha256.slice(0, SHOWN_DIGITS)}…`;
    return new RequestError(
      `The upscaler ${asked} (${digits}) is not in ${UPSCALERS}/, under no name: put it there, or ` +
        "name another with --hires-upscaler.",
      {
        zh: `放大器 ${asked}（${digits}）不在 ${UPSCALERS}/ 中，换了名字的也没有：` +
          "请把它放进去，或用 --hires-upscaler 指定另一个。",
      },
    );
  }
  return new RequestError(
    `There is no upscaler ${asked}: expected lanczos, with --hires also latent, a safetensors file, ` +
      `or a name in ${UPSCALERS}/` + (there === "" ? ", which has none yet." : `: ${there}.`),
    {
      zh: `没有放大器 ${asked}：应为 lanczos（配合 --hires 时也可为 latent）、safetensors 文件，` +
        `或 ${UPSCALERS}/ 中的名称` + (there === "" ? "（其中还没有）。" : `：${there}。`),
    },
  );
}
