import { join } from "node:path";
import { unreadable } from "./_files.ts";
import { refusal } from "./_refusal.ts";
import { quote } from "../shown.ts";

/** What transformers and diffusers call the only file of a model. */
const SINGLE_FILES: readonly string[] = [
  "model.safetensors",
  "diffusion_pytorch_model.safetensors",
];
/** The same with a variant: `model.fp16.safetensors`. */
const SINGLE_FILE = /^(?:model|diffusion_pytorch_model)(?:\.([^.]+))?\.(?:safetensors|sft)$/i;
/** llama.cpp's file of a vision tower's projector, which lies beside the language model. */
const PROJECTOR = /(?:^|[-._])mmproj[-._].*\.gguf$/i;
/** One of several parts of a GGUF file, by llama.cpp's gguf-split. */
const GGUF_PART = /^(.+)-\d{5}-of-(\d{5})\.gguf$/i;
/** How files end that PyTorch wrote by pickling. */
export const PICKLED = /\.(?:ckpt|pth?|bin|pkl)$/i;
/** How files end while browsers, aria2, curl and hf fetch them. */
const PARTLY_FETCHED =
  /\.(?:safetensors|gguf)\..*(?:aria2|crdownload|part|partial|incomplete|download|tmp)$/i;
const INDEX_SUFFIX = ".safetensors.index.json";
/** transformers writes the variant before `.safetensors`, diffusers before `.json`. */
const INDEX_FILE = /^[^.]+(?:\.([^.]+))?\.safetensors\.index(?:\.([^.]+))?\.json$/i;
/** Not a variant but one of several parts. */
const SHARD = /-\d+-of-\d+$/;
const LONE_SHARD = /-\d+-of-\d+\.(?:safetensors|sft)$/i;

/** What a folder offers: a file that holds all, or an index. */
interface Offer {
  readonly name: string;
  readonly isIndex: boolean;
  /** Absent for the full weights. */
  readonly variant: string | undefined;
}

function offerOf(name: string): Offer | undefined {
  const single = SINGLE_FILE.exec(name);
  if (single !== null) {
    const [, variant] = single;
    return SHARD.test(variant ?? "") ? undefined : { name, isIndex: false, variant };
  }
  const index = INDEX_FILE.exec(name);
  return index === null ? undefined : { name, isIndex: true, variant: index[2] ?? index[1] };
}

/**
 * Finds the weights in a folder.
 *
 * Of GGUF files the one counts that is no vision tower's projector (`mmproj-….gguf`).
 *
 * @param wanted Which variant, as diffusers names it; by default the full one, or the only one.
 * @returns A safetensors or GGUF file, or the index of shards.
 * @throws {SafetensorsError} When there are none, or it is not clear which are meant.
 */
export async function findWeights(folder: string, wanted?: string): Promise<string> {
  let names: string[];
  try {
    names = (await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name)).sort();
  } catch (error) {
    throw unreadable(folder, error);
  }
  names = names.filter((name) => !name.startsWith("."));
  const offers = names.map(offerOf).filter((offer) => offer !== undefined);
  const variants = [...new Set(offers.map(({ variant }) => variant))]
    .filter((variant) => variant !== undefined);
  const hasFull = offers.some(({ variant }) => variant === undefined);
  const variant = wanted ?? (!hasFull && variants.length === 1 ? variants[0] : undefined);
  const ofVariant = offers.filter((offer) => offer.variant === variant);
  const singles = ofVariant.filter(({ isIndex }) => !isIndex);
  const [only, ...more] = singles.length > 0 ? singles : ofVariant;
  if (only !== undefined && more.length === 0) return join(folder, only.name);
  if (only !== undefined) {
    throw refusal(
      folder,
      (text) => text.severalFiles([only, ...more].map(({ name }) => quote(name))),
    );
  }
  if (wanted !== undefined) {
    throw refusal(folder, (text) => text.noVariant(quote(wanted), variants.map(quote)));
  }
  if (variants.length > 1) throw refusal(folder, (text) => text.severalVariants(variants));
  const files = names.filter((name) => /\.(?:safetensors|sft|gguf)$/i.test(name));
  const models = files.filter((name) => !PROJECTOR.test(name));
  const others = models.length > 0 ? models : files;
  const [other] = others;
  const pickles = names.filter((name) => PICKLED.test(name));
  const sharded = new Set(others.map((name) => name.replace(LONE_SHARD, "")));
  // Parts of one GGUF file are refused by whoever reads the first.
  const isOne = new Set(others.map((name) => name.replace(GGUF_PART, "$1 of $2"))).size === 1;
  if (other !== undefined && isOne) return join(folder, other);
  if (others.every((name) => LONE_SHARD.test(name)) && sharded.size === 1) {
    throw refusal(folder, (text) => text.shardsAlone(others.length, INDEX_SUFFIX));
  }
  const partial = names.filter((name) => PARTLY_FETCHED.test(name));
  throw refusal(folder, (text) =>
    text.noModelFile(SINGLE_FILES, INDEX_SUFFIX) +
    (partial.length > 0
      ? text.partlyFetched(partial.map(quote))
      : others.length > 0
      ? text.otherFiles(others.map(quote))
      : pickles.length > 0
      ? text.pickledFiles(pickles.map(quote))
      : ""));
}
