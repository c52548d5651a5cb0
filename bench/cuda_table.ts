/** The results of the GPU benchmark as Markdown. */
import type { Accuracy } from "./accuracy.ts";
import { type CudaBenchResult, HIRES, nameOf, STRENGTH } from "./cuda.ts";
import { severalGpusTable } from "./several_gpus.ts";
import { median } from "./statistics.ts";

const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`;
const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;

/** The table's rows. */
export function cudaTable(result: CudaBenchResult): string[] {
  const { forward, pictures, severalGpus = [], fromPictures, decoders } = result;
  const { quantized, accuracy, ownAccuracy = [], int8Accuracy = [] } = result;
  const named = (accuracies: readonly Accuracy[], way: string) =>
    accuracies.map((of) => ({ ...of, output: `${of.output}, ${way}` }));
  const own = [...named(ownAccuracy, "our own kernels"), ...named(int8Accuracy, "int8")];
  return [
    "| one forward of the transformer | median, round by round | fastest | loaded in |",
    "| --- | --- | --- | --- |",
    ...forward.map(({ rounds, ...way }) =>
      `| ${nameOf(way)} | ${rounds.map(({ median }) => median.toFixed(1)).join(", ")} ms | ` +
      `${Math.min(...rounds.map(({ fastest }) => fastest)).toFixed(1)} ms | ` +
      `${seconds(median(rounds.map(({ load }) => load)))} |`
    ),
    "",
    "| picture | kernels | type | VAE | offload | steps | first picture | of it loading | warm | denoise | decode | peak memory |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...pictures.map(({ request, kernels, result, peakMemory }) => {
      const warm = result.timings.slice(1);
      const of = (stage: "total" | "denoise" | "decode") =>
        warm.length === 0 ? "" : seconds(median(warm.map((timings) => timings[stage])));
      return `| ${request.size} × ${request.size} | ${kernels} | ${result.dtype} | ${result.vae} | ` +
        `${request.offload} | ${request.steps}${
          request.stepCache === undefined ? "" : `, ${result.foretold} foretold`
        } | ${seconds(result.firstPicture)} | ${seconds(result.loaded)} | ` +
        `${of("total")} | ${of("denoise")} | ${of("decode")} | ${gigabytes(peakMemory)} |`;
    }),
    ...(severalGpus.length === 0 ? [] : ["", ...severalGpusTable(severalGpus)]),
    ...(fromPictures.length === 0 ? [] : [
      "",
      `| strength ${STRENGTH}, hires ${HIRES} | kernels | VAE | offload | warm | of it encoding | ` +
      "denoise | peak memory |",
      "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]),
    ...fromPictures.flatMap(({ kernels, result: { vae, offload, rows } }) =>
      rows.map(({ way, width, timings, peakMemory }) => {
        const of = (stage: "total" | "encode" | "denoise") =>
          seconds(median(timings.slice(1).map((timings) => timings[stage])));
        return `| ${way}, ${width} wide | ${kernels} | ${vae} | ${offload} | ${of("total")} | ` +
          `${of("encode")} | ${of("denoise")} | ${gigabytes(peakMemory ?? NaN)} |`;
      })
    ),
    ...(decoders === undefined ? [] : [
      "",
      `From latents to the pixels of ${decoders.size} × ${decoders.size}: AutoencoderTiny ` +
      `${decoders.tiny.toFixed(1)} ms, AutoencoderKL ${decoders.kl.toFixed(1)} ms: ` +
      `**${decoders.ratio.toFixed(1)} times** as fast.`,
    ]),
    ...(quantized.length === 0 ? [] : [
      "",
      "| quantised copy, offload model | forward | first picture | peak memory |",
      "| --- | --- | --- | --- |",
      ...quantized.map(({ name, forward, picture: { result, peakMemory } }) =>
        `| ${name} | ${forward.median.toFixed(1)} ms | ${seconds(result.firstPicture)} | ` +
        `${gigabytes(peakMemory)} |`
      ),
      "",
      "| output of a quantised copy | error in bfloat16 | in float16 |",
      "| --- | --- | --- |",
      ...quantized.flatMap(({ name, accuracy }) =>
        (accuracy?.bfloat16 ?? []).map(({ output, ours }, index) =>
          `| ${name}: ${output} | ${ours.toExponential(2)} | ` +
          `${accuracy!.float16[index]!.ours.toExponential(2)} |`
        )
      ),
    ]),
    ...(accuracy === undefined ? [] : [
      "",
      "| output | error against PyTorch's float32 | PyTorch's own in half precision | ratio |",
      "| --- | --- | --- | --- |",
      ...[...accuracy, ...own].map(({ output, ours, pytorch }) =>
        `| ${output} | ${ours.toExponential(2)} | ${pytorch.toExponential(2)} | ` +
        `${(ours / pytorch).toFixed(2)} |`
      ),
    ]),
  ];
}
