/** Batches of tensors, put together and taken apart. */
import { RequestError } from "../errors.ts";
import { elementCount, type Tensor, tensor } from "../tensor.ts";
import { expectDims } from "./parts/expect_tensor.ts";

/** One sample of a batch as a batch of one; a batch of one serves for every sample. */
export function sampleOf(name: string, whole: Tensor, index: number, batch: number): Tensor {
  const [count = 0, ...dims] = whole.dims;
  if (count === 1) return whole;
  if (count !== batch) {
    throw new RequestError(
      `${name} holds ${count} samples, but latents holds ${batch}; expected ` +
        (batch === 1 ? "1." : `1 or ${batch}.`),
      {
        zh: `${name} 有 ${count} 个样本，但 latents 有 ${batch} 个；应为 ` +
          (batch === 1 ? "1 个。" : `1 个或 ${batch} 个。`),
      },
    );
  }
  const length = elementCount(dims);
  return tensor(whole.data.subarray(index * length, (index + 1) * length), [1, ...dims]);
}

/** Batches of one, joined. */
export function stack(samples: readonly Tensor[]): Tensor {
  const [, ...dims] = samples[0]!.dims;
  const length = elementCount(dims);
  const data = new Float32Array(samples.length * length);
  samples.forEach((sample, index) => data.set(sample.data, index * length));
  return tensor(data, [samples.length, ...dims]);
}

/** [1, Lᵢ, D] joined to [B, max L, D] with zeros behind the shorter, and the mask that tells. */
export function stackPadded(samples: readonly Tensor[]): [embeds: Tensor, mask: Tensor] {
  const lengths = samples.map(({ dims }) => dims[1]!);
  const longest = Math.max(...lengths);
  const width = samples[0]!.dims[2]!;
  const data = new Float32Array(samples.length * longest * width);
  const mask = new Float32Array(samples.length * longest);
  samples.forEach((sample, index) => {
    data.set(sample.data, index * longest * width);
    mask.fill(1, index * longest, index * longest + lengths[index]!);
  });
  return [
    tensor(data, [samples.length, longest, width]),
    tensor(mask, [samples.length, longest]),
  ];
}

/** [1, L, D] without the positions at the end that the mask [1, L] leaves out. */
export function unpadded(embeds: Tensor, mask: Tensor | undefined): Tensor {
  if (mask === undefined) return embeds;
  const [, length = 0, width = 0] = embeds.dims;
  expectDims("promptAttentionMask", mask, [1, length]);
  const kept = mask.data.findLastIndex((value) => value !== 0) + 1;
  if (kept === 0) {
    throw new RequestError("promptAttentionMask leaves no token of a prompt.", {
      zh: "promptAttentionMask 没有留下提示词的任何 token。",
    });
  }
  return tensor(embeds.data.subarray(0, kept * width), [1, kept, width]);
}
