/**
 * How each part is loaded, when it is first used: from its graphs, with its adapters, on its thread.
 *
 * @module
 */
import type { ModelFamily, PartName } from "../families/mod.ts";
import type { EncoderGraphs } from "../models/mod.ts";
import type { DtypePolicy } from "../onnx/mod.ts";
import { withOptions } from "../runtime/with_options.ts";
import { adaptedGraphs } from "./_adapted_graphs.ts";
import type { PartGraphs } from "./_compile_parts.ts";
import { holdThreaded, openGpuThreads, type PartPlace, type PartThreads } from "./_part_threads.ts";
import type { PartAdapters } from "./adapters/part_adapters.ts";
import type { OpenedParts } from "./open_parts.ts";
import type { ClipModel } from "./parts/clip_model.ts";
import { HeldPart } from "./parts/held_part.ts";
import type { TextEncoder } from "./parts/text_encoder.ts";
import type { Transformer } from "./parts/transformer.ts";
import type { Vae } from "./parts/vae.ts";

/** What the parts are loaded from, and how. */
export interface PartLoading {
  readonly family: ModelFamily;
  readonly opened: OpenedParts;
  readonly graphs: PartGraphs;
  readonly adapters: ReadonlyMap<PartName, PartAdapters>;
  readonly place: PartPlace;
  /** Into how many graphs the transformer's step and the text encoder are cut at least. */
  readonly segments: number;
  /** Whether these stay loaded while the part is. */
  readonly resident: boolean;
  /** Throws when an adapter's file is no longer what it was. */
  readonly checkAdapters: () => Promise<void>;
  /** What the parts take their threads from. */
  readonly threads: PartThreads;
}

/** As many as a short prompt has. */
const SOME_IDS = new Int32Array(64);

/**
 * The transformer. With one GPU it stays on the thread that asks: it runs in every step, and its inputs
 * would be copied each time.
 *
 * @param deviceIds The GPUs that compute its steps.
 * @param onOperatorFallback Is called when our own operators cannot be used, with why.
 */
export async function holdTransformer(
  { family, opened: { transformer }, graphs, adapters, place, ...loading }: PartLoading,
  deviceIds: readonly number[],
  onOperatorFallback: (reason: string) => void,
): Promise<HeldPart<Transformer>> {
  const { computeThreads, deviceId, keep } = place;
  const { segments, resident, checkAdapters } = loading;
  let { policy } = place;
  const own = adapters.get("transformer")!;
  const compile = adaptedGraphs(
    family.networks.transformer,
    transformer,
    graphs.transformer,
    policy,
    segments,
  );
  const threads = await openGpuThreads(deviceIds);
  const load = async () => {
    const { loadTransformer } = await import("./parts/load_transformer.ts");
    const adaptation = await own.adaptation();
    // A part that had to go over to another policy keeps it when it is loaded again.
    const compiled = (other: DtypePolicy) => {
      policy = other;
      return compile(policy, adaptation);
    };
    return await loadTransformer(transformer.config, compiled, {
      policy,
      resident,
      host: withOptions({ threads: computeThreads }),
      deviceId,
      gpus: threads.gpus,
      adapterWeights: own.weights,
      onOperatorFallback,
    });
  };
  return new HeldPart(load, () => transformer.check().then(checkAdapters), keep, threads);
}

/** The text encoder. */
export function holdTextEncoder(
  { family, opened: { textEncoder }, graphs, adapters, place, ...loading }: PartLoading,
): Promise<HeldPart<TextEncoder>> {
  const { segments, resident, checkAdapters, threads } = loading;
  const { policy } = place;
  const own = adapters.get("textEncoder")!;
  const compile = adaptedGraphs(
    family.networks.textEncoder,
    textEncoder,
    graphs.textEncoder,
    policy,
    segments,
  );
  return holdThreaded(
    {
      check: () => textEncoder.check().then(checkAdapters),
      load: async (host) => {
        const { TextEncoder } = await import("./parts/text_encoder.ts");
        const compiled = compile(policy, await own.adaptation());
        const hold = { device: policy.device, resident, host };
        return await TextEncoder.create(textEncoder.config, compiled, hold, own.weights);
      },
      ...(policy.products && policy.text !== "float32" ? { ownOperators: policy.text } : {}),
      warmUp: (encoder) => encoder.encode(SOME_IDS),
    },
    place,
    threads,
  );
}

/** The CLIP model of a checkpoint that has one. */
export function holdClipModel(
  { family, opened, graphs, adapters, place, ...loading }: PartLoading,
): Promise<HeldPart<ClipModel>> {
  const { segments, checkAdapters, threads } = loading;
  const { policy } = place;
  const clipModel = opened.clipModel!;
  const own = adapters.get("clipModel")!;
  const compile = adaptedGraphs(
    family.networks.clipModel,
    clipModel,
    graphs.clipModel!,
    policy,
    segments,
  );
  return holdThreaded(
    {
      check: () => clipModel.check().then(checkAdapters),
      load: async (host) => {
        const { ClipModel } = await import("./parts/clip_model.ts");
        const compiled = compile(policy, await own.adaptation());
        return await ClipModel.create(
          clipModel.config,
          compiled,
          policy.device,
          host,
          own.weights,
        );
      },
      warmUp: (model) => model.encode(SOME_IDS),
    },
    place,
    threads,
  );
}

/**
 * The autoencoder.
 *
 * @param fitsWhole Whether a picture of so many pixels fits into the memory in one run.
 * @param onFallback Is called when it overflows in 16 bits and goes over to float32.
 */
export function holdVae(
  loading: PartLoading,
  fitsWhole: ((pixels: number) => boolean) | undefined,
  onFallback: () => void,
): Promise<HeldPart<Vae>> {
  const { family: { networks }, opened, graphs, place, checkAdapters } = loading;
  const { vae, transformer } = opened;
  const { policy } = place;
  const exact: DtypePolicy = { ...policy, convolution: "float32" };
  const fallback = policy.convolution === "float32" ? undefined : {
    exactGraphs: () => networks.vae.compile(vae.config, vae.weights, exact),
    exactEncoder: () => vaeEncoder(loading, exact),
    onUse: onFallback,
  };
  return holdThreaded(
    {
      check: () => vae.check().then(checkAdapters),
      load: async (host) => {
        const { Vae } = await import("./parts/vae.ts");
        const encoder = () => vaeEncoder(loading);
        const options = { encoder, fallback, host, fitsWhole };
        return await Vae.create(vae.config, graphs.vae, policy.device, options);
      },
      // Over ONNX Runtime's binding it would wait for all other work on the GPU.
      ...(policy.ownOperators && {
        warmUp: (decoder) => decoder.warmUp(transformer.config.sample_size),
      }),
    },
    place,
    loading.threads,
  );
}

/**
 * Compiles the autoencoder's encoder.
 *
 * @throws {RequestError} When the file has a decoder alone.
 */
export function vaeEncoder(
  { family: { networks }, opened: { vae }, place }: PartLoading,
  policy: DtypePolicy = place.policy,
): EncoderGraphs {
  return networks.vae.compileEncoder(vae.config, vae.json, vae.file, vae.weights, policy);
}
