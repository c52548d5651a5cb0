/** The noise that sampling starts from. */
import { RequestError } from "../errors.ts";
import {
  createGenerator,
  type Generator,
  type GeneratorOptions,
  randomSeed,
} from "../random/mod.ts";
import { elementCount, type Tensor, tensor } from "../tensor.ts";

/** Four bytes each: 8 GiB, the most that a typed array holds. */
const MOST_LATENT_VALUES = 2 ** 31;

/** One generator for all samples of a call, or one each. */
type Generators = GeneratorOptions | readonly GeneratorOptions[] | undefined;

/**
 * Draws noise [batchSize, C, rows, columns]: by one generator as `torch.randn` does, or each sample
 * by its own.
 *
 * @throws {RequestError} When generators do not fit the batch, or it does not fit into an array.
 */
export function drawNoise(
  batchSize: number,
  sampleDims: readonly number[],
  generator: Generators,
): Tensor {
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new RequestError(`batchSize is ${batchSize}; expected a whole number from 1.`, {
      zh: `batchSize 是 ${batchSize}；应为 1 以上的整数。`,
    });
  }
  const dims = [batchSize, ...sampleDims];
  if (elementCount(dims) > MOST_LATENT_VALUES) {
    throw new RequestError(
      `Latents of [${dims.join(", ")}] do not fit into one array; ask for fewer samples at once.`,
      { zh: `[${dims.join(", ")}] 的潜变量放不进一个数组；请减少一次生成的样本数。` },
    );
  }
  const data = new Float32Array(elementCount(dims));
  if (!isList(generator)) {
    generatorOf(generator ?? { seed: randomSeed() }).fillNormal(data);
    return tensor(data, dims);
  }
  if (generator.length !== batchSize) {
    throw new RequestError(
      `There are ${generator.length} generators for ${batchSize} samples; give one for all, ` +
        "or one for each.",
      {
        zh: `有 ${generator.length} 个随机数生成器，但有 ${batchSize} 个样本；` +
          "请只给一个，或每个样本给一个。",
      },
    );
  }
  // Each sample is drawn straight into its place: a large batch needs no second copy.
  const length = elementCount(sampleDims);
  generator.forEach((options, index) => {
    generatorOf(options).fillNormal(data.subarray(index * length, (index + 1) * length));
  });
  return tensor(data, dims);
}

/** One generator for each picture of a call: several as they are, one with a seed more for each. */
export function imageGenerators(
  generator: Generators = { seed: randomSeed() },
  imageCount: number,
): readonly GeneratorOptions[] {
  if (isList(generator)) return generator;
  const { seed } = generatorOf(generator);
  return Array.from({ length: imageCount }, (_, index) => {
    // Seeds are 64 bits wide and start again at 0, as torch's do.
    const own = BigInt.asUintN(64, seed + BigInt(index));
    return { ...generator, seed: own <= Number.MAX_SAFE_INTEGER ? Number(own) : own };
  });
}

/** @throws {RequestError} When the options are wrong, or a generator that has a state of its own. */
function generatorOf(options: GeneratorOptions): Generator {
  if (typeof options !== "object" || options === null || "fillNormal" in options) {
    throw new RequestError(
      'generator must be { seed, device: "cpu" | "cuda" } or a list of these: a call draws its ' +
        "noise from the seed's beginning.",
      {
        zh: 'generator 应为 { seed, device: "cpu" | "cuda" } 或其列表：' +
          "每次调用都从种子的开头取噪声。",
      },
    );
  }
  return createGenerator(options);
}

/** Whether there is one for each. */
export function isList<T>(value: T | readonly T[] | undefined): value is readonly T[] {
  return Array.isArray(value);
}
