/**
 * What both autoencoders' halves compile to: one graph for pictures of a usual size, and the same
 * arithmetic cut into steps that can go over a large picture tile by tile.
 *
 * @module
 */
import {
  addScalar,
  cast,
  clip,
  type CompiledGraph,
  type Graph,
  round,
  scale,
  total,
  transpose,
  type Value,
} from "../onnx/mod.ts";

/** A decoder, compiled. */
export interface DecoderGraphs {
  /** `latents` [B, latent_channels, h, w] become what {@linkcode outputPicture} gives. */
  readonly whole: CompiledGraph;
  /** The first reads the map `latents`, the last writes the map `image`. */
  readonly steps: readonly TiledStep[];
  /** The side of a tile in pixels of the larger of a step's maps, unless the caller chooses. */
  readonly tileSize: number;
}

/** An encoder, compiled. */
export interface EncoderGraphs {
  /**
   * `image` [B, 3, H, W], -1…1, becomes `latents` [B, latent_channels, h, w]: the mode of the
   * distribution where the encoder gives one, shifted and scaled for the diffusion model.
   */
  readonly whole: CompiledGraph;
  /** The first reads the map `image`, the last writes the map `latents`. */
  readonly steps: readonly TiledStep[];
  /** The side of a tile in pixels of the larger of a step's maps, unless the caller chooses. */
  readonly tileSize: number;
}

/**
 * One step of a tiled decoding or encoding. Between steps, maps [1, C, H, W] are kept whole, by name.
 *
 * The graph takes a part of each map that it reads, and `core_start` and `core_end` (row and column,
 * int64 [2]), which say what part of the map that it computes is the tile proper. It gives that part
 * of each map m that it writes as `m_tile`. A group norm takes the moments of the whole map m as
 * `m_mean` and `m_variance` [1, groups]; `m_tile_mean` and `m_tile_variance` are those of a tile.
 */
export interface TiledStep {
  readonly graph: CompiledGraph;
  /** The maps that it reads, all of one height and width. */
  readonly reads: readonly string[];
  /** The maps that it writes. */
  readonly writes: readonly string[];
  /** Whether it looks at all of its input at once, so that it cannot be tiled. */
  readonly global: boolean;
  /**
   * How far beyond its tile it must see, in pixels of the maps that it reads; a multiple of as many
   * as become one pixel.
   */
  readonly halo: number;
  /** Pixels written for a pixel read, along a side: a whole number, or one divided by it. */
  readonly scale: number;
  /**
   * What the edges of a tile must be multiples of, in pixels of the maps that it reads. By default as
   * many as become one pixel.
   */
  readonly multiple?: number;
  /**
   * Whether the map that it writes takes the place of the one of that name tile by tile. Only right
   * where it looks at no neighbours in that map.
   */
  readonly inPlace: boolean;
}

/** The inputs of a step's graph that say which part is the tile proper. */
export const CORE_START = "core_start";
/** See {@linkcode CORE_START}. */
export const CORE_END = "core_end";

/** An output that is 0 when all values of the picture are finite, and otherwise no number. */
export const NON_FINITE = "non_finite";
const LARGEST_BYTE = 255;

/**
 * A decoder's outputs: `image` [B, C, H, W], about -1…1; the same as `pixels` [B, H, W, C] of bytes,
 * in the arithmetic of diffusers' VaeImageProcessor (x/2 + 0.5, clamped to 0…1, times 255 in float32,
 * halves to the even neighbour), which are a quarter of the size and need no walk in JavaScript; and
 * {@linkcode NON_FINITE}, since bytes do not tell.
 */
export function outputPicture(graph: Graph, image: Value, channels: number): void {
  graph.output("image", image, ["B", channels, "H", "W"]);
  const unit = clip(addScalar(scale(image, 0.5), 0.5), 0, 1);
  const bytes = cast(round(scale(unit, LARGEST_BYTE)), "uint8");
  graph.output("pixels", transpose(bytes, [0, 2, 3, 1]), ["B", "H", "W", channels]);
  graph.output(NON_FINITE, total(scale(image, 0)), []);
}
