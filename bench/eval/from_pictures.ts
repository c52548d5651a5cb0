/**
 * How well the demo model starts from pictures: what its autoencoders give back, what image to image
 * keeps and changes, and whether inpainting leaves alone what lies outside of its mask.
 *
 * @module
 */
import { imageFromTensor, psnr, type RgbImage } from "../../src/image/mod.ts";
import { NewBieImagePipeline } from "../../src/mod.ts";
import { ATTRIBUTES, POSITIONS } from "./attributes.ts";
import { measureCharacters, PICTURE_SIZE } from "./checker.ts";
import type { EvalScene } from "./eval_set.ts";
import type { Progress } from "./evaluate.ts";
import type { DrawnOn, Loading } from "./pictures.ts";
import { HAIR } from "./palette.ts";

/** The folders of the demo's two autoencoders, in its own; it draws with the first. */
const [OWN_VAE, OTHER_VAE] = ["vae", "vae-kl"] as const;
/** How far the new pictures may go from those that they start from. */
const STRENGTHS = [0.3, 0.6, 0.9] as const;
/** How many pictures are enough. */
export const PICTURES_DRAWN_FROM = 8;

/** What one encoder and one decoder give back of drawn pictures. */
export interface PairResult {
  readonly encoder: string;
  readonly decoder: string;
  /** dB, the mean over the pictures. */
  readonly psnr: number;
}

/** What new pictures are like, whose prompt asks for other hair on the left. */
export interface ChangeResult {
  /** Of image to image; 1 where the left half was drawn anew. */
  readonly strength: number;
  /** To the pictures that they start from, dB, the mean. */
  readonly psnr: number;
  /** Share of the pictures with the hair that was asked for. */
  readonly changed: number;
  /** Share of all other attributes that are as they were. */
  readonly kept: number;
}

/** All of it. */
export interface FromPictures {
  readonly drawnOn: DrawnOn;
  readonly pictures: number;
  readonly pairs: readonly PairResult[];
  readonly strengths: readonly ChangeResult[];
  /** The left half drawn anew; and how many pixels of the right half are not as they were. */
  readonly inpainting: ChangeResult & { readonly outside: number };
}

/** How pictures are drawn. */
export interface DrawingFrom {
  readonly model: string;
  readonly how: Loading;
  readonly steps: number;
  readonly guidance: number;
  readonly onProgress?: (progress: Progress) => void;
}

/** Measures it on the ground truth of scenes. */
export async function measureFromPictures(
  scenes: readonly EvalScene[],
  sources: readonly RgbImage[],
  { model, how, steps, guidance, onProgress = () => {} }: DrawingFrom,
): Promise<FromPictures> {
  await using pipe = await NewBieImagePipeline.fromPretrained(model, how);
  const pairs = await measurePairs(pipe, { model, how }, sources);
  const total = scenes.length * (STRENGTHS.length + 1);
  let done = 0;
  const draw = async (options: { strength: number; maskImage?: RgbImage; maskBlur?: number }) => {
    const made: RgbImage[] = [];
    for (const [index, scene] of scenes.entries()) {
      const { images } = await pipe.generate({
        prompt: withOtherHair(scene, index).prompt,
        image: sources[index]!,
        numInferenceSteps: steps,
        guidanceScale: guidance,
        generator: { seed: scene.seed },
        ...options,
      });
      made.push((images as RgbImage[])[0]!);
      onProgress({ done: ++done, total });
    }
    return { ...compare(scenes, sources, made), strength: options.strength, made };
  };
  const strengths: ChangeResult[] = [];
  for (const strength of STRENGTHS) {
    const { made: _, ...result } = await draw({ strength });
    strengths.push(result);
  }
  const { made, ...inpainted } = await draw({ strength: 1, maskImage: leftHalf(), maskBlur: 0 });
  const outside = made.reduce((sum, image, index) => sum + differing(image, sources[index]!), 0);
  return {
    pictures: scenes.length,
    drawnOn: { device: pipe.device, dtype: pipe.dtype },
    pairs,
    strengths,
    inpainting: { ...inpainted, outside },
  };
}

/** Every encoder with every decoder: both make and read the same latents. */
async function measurePairs(
  pipe: NewBieImagePipeline,
  { model, how }: Pick<DrawingFrom, "model" | "how">,
  sources: readonly RgbImage[],
): Promise<PairResult[]> {
  await using other = await NewBieImagePipeline.fromPretrained(model, {
    ...how,
    vae: `${model}/${OTHER_VAE}`,
  });
  const pipes = [[OWN_VAE, pipe], [OTHER_VAE, other]] as const;
  const results: PairResult[] = [];
  for (const [encoder, from] of pipes) {
    for (const [decoder, to] of pipes) {
      let sum = 0;
      for (const source of sources) {
        const back = await to.decodeLatents(await from.encodeImage(source));
        sum += psnr(imageFromTensor(back), source);
      }
      results.push({ encoder, decoder, psnr: sum / sources.length });
    }
  }
  return results;
}

/** A scene's prompt with another colour of hair on the left, one that neither character has. */
function withOtherHair({ prompts, truth }: EvalScene, index: number) {
  const { left, right } = truth;
  const colors = Object.keys(HAIR).filter((name) => ![left.hair, right.hair].includes(name));
  const hair = colors[index % colors.length]!;
  const prompt = prompts.xml.replaceAll(
    /<character_\d>[^]*?<\/character_\d>/g,
    (block) =>
      /<position>[^<]*left/.test(block)
        ? block.replace(`${left.hair}_hair`, `${hair}_hair`)
        : block,
  );
  return { hair, prompt };
}

function compare(
  scenes: readonly EvalScene[],
  sources: readonly RgbImage[],
  made: readonly RgbImage[],
): Omit<ChangeResult, "strength"> {
  let [similarity, changed, kept, attributes] = [0, 0, 0, 0];
  for (const [index, scene] of scenes.entries()) {
    const found = measureCharacters(made[index]!);
    similarity += psnr(made[index]!, sources[index]!);
    if (found.left.hair === withOtherHair(scene, index).hair) changed++;
    for (const place of POSITIONS) {
      for (const name of ATTRIBUTES) {
        if (place === "left" && name === "hair") continue;
        attributes++;
        if (found[place][name] === scene.truth[place][name]) kept++;
      }
    }
  }
  const count = scenes.length;
  return { psnr: similarity / count, changed: changed / count, kept: kept / attributes };
}

/** White where the left character stands. */
function leftHalf(): RgbImage {
  const size = PICTURE_SIZE;
  const data = new Uint8ClampedArray(3 * size * size);
  for (let row = 0; row < size; row++) data.fill(255, 3 * size * row, 3 * (size * row + size / 2));
  return { data, width: size, height: size };
}

/** Pixels of the right half that differ. */
function differing(a: RgbImage, b: RgbImage): number {
  let count = 0;
  for (let pixel = 0; pixel < PICTURE_SIZE ** 2; pixel++) {
    if (pixel % PICTURE_SIZE < PICTURE_SIZE / 2) continue;
    const [from, to] = [3 * pixel, 3 * pixel + 3];
    if (a.data.subarray(from, to).some((value, at) => value !== b.data[from + at])) count++;
  }
  return count;
}
