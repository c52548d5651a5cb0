import { CORE_END, CORE_START, type TiledStep } from "../../models/mod.ts";
import type { Device } from "../../onnx/mod.ts";
import {
  type Feeds,
  integers,
  type IntegerTensor,
  type RunningGraph,
  type SessionHost,
} from "../../runtime/session.ts";
import { elementCount, type Tensor, tensor } from "../../tensor.ts";
import { loadConvolutions } from "./_load_convolutions.ts";

/** Rows and columns of a map; the ends are exclusive. */
interface Region {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** What lies between two steps: maps [1, C, H, W] by name, and moments [1, groups] by port. */
interface State {
  readonly maps: Map<string, Tensor>;
  readonly moments: Map<string, Tensor>;
}

/** How {@linkcode runInTiles} goes over a map. */
export interface TilingOptions {
  /**
   * The side of a tile, in pixels of the larger of the maps that a step reads and writes; of strips, the
   * side of a square of as many pixels.
   */
  readonly tileSize: number;
  readonly device: Device;
  readonly host: SessionHost;
}

/**
 * Encodes or decodes one picture step by step, each step going over all tiles before the next
 * begins. Only one step's graph is loaded at a time.
 *
 * @param input What the first step reads, [1, C, H, W].
 * @returns What the last one writes.
 */
export async function runInTiles(
  steps: readonly TiledStep[],
  input: Tensor,
  { tileSize, device, host }: TilingOptions,
): Promise<Tensor> {
  const [first, last] = [steps[0]!.reads[0]!, steps.at(-1)!.writes[0]!];
  const state: State = { maps: new Map([[first, input]]), moments: new Map() };
  for (const step of steps) {
    await using session = await loadConvolutions(host, step.graph, device);
    await runStep(step, session, state, tileSize);
  }
  return state.maps.get(last)!;
}

async function runStep(
  step: TiledStep,
  session: RunningGraph,
  { maps, moments }: State,
  tileSize: number,
): Promise<void> {
  const { halo, scale, multiple: unit = Math.max(1, 1 / scale) } = step;
  const [, , height, width] = maps.get(step.reads[0]!)!.dims as [number, number, number, number];
  // Tiles are cut by pixels of the smaller map, so that none of them is cut in two.
  const most = Math.floor(tileSize / Math.max(scale, 1) / unit);
  const side = step.global ? Infinity : Math.max(1, most);
  const written = new Map<string, Tensor>();
  const measured = new MomentPool();
  for (const smaller of tiles(height / unit, width / unit, side, halo / unit)) {
    const core = times(smaller, unit);
    const seen: Region = {
      top: Math.max(0, core.top - halo),
      left: Math.max(0, core.left - halo),
      bottom: Math.min(height, core.bottom + halo),
      right: Math.min(width, core.right + halo),
    };
    const feeds: Record<string, Tensor | IntegerTensor> = {
      [CORE_START]: integers([core.top - seen.top, core.left - seen.left].map((n) => n * scale)),
      [CORE_END]: integers([core.bottom - seen.top, core.right - seen.left].map((n) => n * scale)),
    };
    for (const name of step.reads) feeds[name] = cut(maps.get(name)!, seen);
    const outputs = await session.run({ ...Object.fromEntries(moments), ...feeds } as Feeds);
    for (const name of step.writes) {
      const tile = outputs[`${name}_tile`]!;
      const dims = [1, tile.dims[1]!, height * scale, width * scale];
      const map = written.get(name) ?? mapFor(name, dims, step, maps);
      paste(tile, map, core.top * scale, core.left * scale);
      written.set(name, map);
    }
    measured.add(outputs, (core.bottom - core.top) * (core.right - core.left));
  }
  written.forEach((map, name) => maps.set(name, map));
  measured.result().forEach((value, port) => moments.set(port, value));
}

/** What a step writes to: the map that it changes, one that nobody reads any more, or a new one. */
function mapFor(
  name: string,
  dims: readonly number[],
  { reads, inPlace }: TiledStep,
  maps: State["maps"],
): Tensor {
  const former = maps.get(name);
  const mayReplace = inPlace || !reads.includes(name);
  const fits = former?.data.length === elementCount(dims);
  return tensor(mayReplace && fits ? former!.data : new Float32Array(elementCount(dims)), dims);
}

/** A strip is worth it where what it sees beyond its edges is less than so large a part of it. */
const STRIP_HALO = 1 / 8;

/**
 * Covers a map with tiles of nearly equal size, none larger than a square of `side`: with strips of the
 * whole width, which lie in memory in one piece, or where those would have to see too much, with squares.
 */
function* tiles(height: number, width: number, side: number, halo: number): Generator<Region> {
  const strip = Math.floor(side ** 2 / width);
  const isStrip = strip > 0 && halo <= strip * STRIP_HALO;
  const rows = Math.ceil(height / (isStrip ? strip : side)) || 1;
  const columns = isStrip ? 1 : Math.ceil(width / side) || 1;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      yield {
        top: Math.floor(row * height / rows),
        left: Math.floor(column * width / columns),
        bottom: Math.floor((row + 1) * height / rows),
        right: Math.floor((column + 1) * width / columns),
      };
    }
  }
}

function times({ top, left, bottom, right }: Region, factor: number): Region {
  return {
    top: top * factor,
    left: left * factor,
    bottom: bottom * factor,
    right: right * factor,
  };
}

function cut({ data, dims }: Tensor, { top, left, bottom, right }: Region): Tensor {
  const [, channels, height, width] = dims as [number, number, number, number];
  const [rows, columns] = [bottom - top, right - left];
  const part = new Float32Array(channels * rows * columns);
  const length = runLength(columns, rows, width);
  let target = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let row = top; row < bottom; row += length / columns) {
      const source = (channel * height + row) * width + left;
      part.set(data.subarray(source, source + length), target);
      target += length;
    }
  }
  return tensor(part, [1, channels, rows, columns]);
}

function paste(tile: Tensor, map: Tensor, top: number, left: number): void {
  const [, channels, rows, columns] = tile.dims as [number, number, number, number];
  const [, , height, width] = map.dims as [number, number, number, number];
  const length = runLength(columns, rows, width);
  let source = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < rows; row += length / columns) {
      const target = (channel * height + top + row) * width + left;
      map.data.set(tile.data.subarray(source, source + length), target);
      source += length;
    }
  }
}

/** How many values of a tile lie one behind the other in its map. */
function runLength(columns: number, rows: number, width: number): number {
  return columns === width ? rows * columns : columns;
}

/** Puts the moments of tiles together to those of the map (Chan, Golub & LeVeque 1983). */
class MomentPool {
  readonly #pools = new Map<string, { area: number; mean: Float64Array; squares: Float64Array }>();

  /** Adds every pair of outputs `m_tile_mean` and `m_tile_variance`. */
  add(outputs: Readonly<Record<string, Tensor>>, area: number): void {
    for (const [port, { data: means }] of Object.entries(outputs)) {
      const map = /^(.*)_tile_mean$/.exec(port)?.[1];
      if (map === undefined) continue;
      const variances = outputs[`${map}_tile_variance`]!.data;
      let pool = this.#pools.get(map);
      if (pool === undefined) {
        const groups = means.length;
        pool = { area: 0, mean: new Float64Array(groups), squares: new Float64Array(groups) };
        this.#pools.set(map, pool);
      }
      const total = pool.area + area;
      for (let group = 0; group < means.length; group++) {
        const distance = means[group]! - pool.mean[group]!;
        pool.mean[group]! += distance * area / total;
        pool.squares[group]! += variances[group]! * area +
          distance ** 2 * pool.area * area / total;
      }
      pool.area = total;
    }
  }

  /** The moments by the ports that take them: `m_mean` and `m_variance`. */
  result(): Map<string, Tensor> {
    const moments = new Map<string, Tensor>();
    this.#pools.forEach(({ area, mean, squares }, map) => {
      const dims = [1, mean.length];
      moments.set(`${map}_mean`, tensor(Float32Array.from(mean), dims));
      moments.set(
        `${map}_variance`,
        tensor(Float32Array.from(squares, (sum) => sum / area), dims),
      );
    });
    return moments;
  }
}
