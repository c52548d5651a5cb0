import type { RgbImage } from "../image/mod.ts";
import type { NewBieImagePipeline } from "../pipeline/pipeline.ts";
import type { StepInfo } from "../pipeline/types.ts";
import { tensor } from "../tensor.ts";

/**
 * What a picture would become if the sampler went straight on from each step: the latents continued
 * along their last direction to time 1, decoded. A step that does not go on from another one, the first
 * of a picture or of its second drawing, has no direction yet, and shows its latents as they are.
 *
 * (x, t) and (x′, t′) are on one line with x′ + (1 − t′)·(x′ − x) / (t′ − t).
 */
export function previews(
  pipe: Pick<NewBieImagePipeline, "decodeImages">,
): (step: StepInfo) => Promise<RgbImage> {
  let before: { readonly data: Float32Array; readonly time: number } | undefined;
  return async ({ index, timestep, nextTimestep, latents: { data, dims } }) => {
    const goesOn = index > 0 && before?.time === timestep && before.data.length === data.length;
    const last = goesOn ? before!.data : undefined;
    const ahead = (1 - nextTimestep) / (nextTimestep - timestep);
    const guess = last === undefined
      ? data
      : Float32Array.from(data, (value, place) => value + ahead * (value - last[place]!));
    before = { data, time: nextTimestep };
    const [image] = await pipe.decodeImages(tensor(guess, dims));
    return image!;
  };
}
