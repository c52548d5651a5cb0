/**
 * What both autoencoders' decoders compile to: one graph for pictures of a usual size, and the same
 * arithmetic cut into steps that can go over a large picture tile by tile.
 *
 * @module
 */
import type { CompiledGraph } from "../onnx/mod.ts";

/** A decoder, compiled. */
export interface DecoderGraphs {
  /** `latents` [B, latent_channels, h, w] become `image` [B, 3, H, W]. */
  readonly whole: CompiledGraph;
  /** The first reads the map `latents`, the last writes the map `image`. */
  readonly steps: readonly DecoderStep[];
  /** The side of a tile in pixels of the map that a step writes, unless the caller chooses. */
  readonly tileSize: number;
}

/**
 * One step of a tiled decoding. Between steps, maps [1, C, H, W] are kept whole, by name.
 *
 * The graph takes a part of each map that it reads, and `core_start` and `core_end` (row and column,
 * int64 [2]), which say what part of the map that it computes is the tile proper. It gives that part
 * of each map m that it writes as `m_tile`. A group norm takes the moments of the whole map m as
 * `m_mean` and `m_variance` [1, groups]; `m_tile_mean` and `m_tile_variance` are those of a tile.
 */
export interface DecoderStep {
  readonly graph: CompiledGraph;
  /** The maps that it reads, all of one height and width. */
  readonly reads: readonly string[];
  /** The maps that it writes. */
  readonly writes: readonly string[];
  /** Whether it looks at all of its input at once, so that it cannot be tiled. */
  readonly global: boolean;
  /** How far beyond its tile it must see, in pixels of the maps that it reads. */
  readonly halo: number;
  /** Pixels written for a pixel read, along a side. */
  readonly scale: number;
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
