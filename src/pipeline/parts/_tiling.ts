import { CORE_END, CORE_START, type DecoderStep } from "../../models/mod.ts";
import type { Device } from "../../onnx/mod.ts";
import {
  type Feeds,
  integers,
  type IntegerTensor,
  type RunningGraph,
  type SessionHost,
} from "../../runtime/session.ts";
import { elementCount, type Tensor, tensor } from "../../tensor.ts";

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

/**
 * Decodes one picture step by step, each step going over all tiles before the next begins. Only one
 * step's graph is loaded at a time.
 *
 * @param latents [1, latent_channels, h, w].
 * @param tileSize The side of a tile, in pixels of the map that a step writes.
 */
export async function decodeInTiles(
  steps: readonly DecoderStep[],
  latents: Tensor,
  tileSize: number,
  { device, host }: { readonly device: Device; readonly host: SessionHost },
): Promise<Tensor> {
  const state: State = { maps: new Map([["latents", latents]]), moments: new Map() };
  for (const step of steps) {
    await using session = await host.create(step.graph, { device, mayUseCpu: true });
    await runStep(step, session, state, tileSize);
  }
  return state.maps.get("image")!;
}

async function runStep(
  step: DecoderStep,
  session: RunningGraph,
  { maps, moments }: State,
  tileSize: number,
): Promise<void> {
  const { halo, scale } = step;
  const [, , height, width] = maps.get(step.reads[0]!)!.dims as [number, number, number, number];
  const side = step.global ? Infinity : Math.max(1, Math.floor(tileSize / scale));
  const written = new Map<string, Tensor>();
  const measured = new MomentPool();
  for (const core of tiles(height, width, side)) {
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
      let map = step.inPlace ? maps.get(name) : written.get(name);
      if (map === undefined) {
        const dims = [1, tile.dims[1]!, height * scale, width * scale];
        map = tensor(new Float32Array(elementCount(dims)), dims);
      }
      paste(tile, map, core.top * scale, core.left * scale);
      written.set(name, map);
    }
    measured.add(outputs, (core.bottom - core.top) * (core.right - core.left));
  }
  written.forEach((map, name) => maps.set(name, map));
  measured.result().forEach((value, port) => moments.set(port, value));
}

/** Covers a map with tiles of nearly equal size, none with a side longer than `side`. */
function* tiles(height: number, width: number, side: number): Generator<Region> {
  const [rows, columns] = [Math.ceil(height / side) || 1, Math.ceil(width / side) || 1];
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

function cut({ data, dims }: Tensor, { top, left, bottom, right }: Region): Tensor {
  const [, channels, height, width] = dims as [number, number, number, number];
  const columns = right - left;
  const part = new Float32Array(channels * (bottom - top) * columns);
  let target = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let row = top; row < bottom; row++) {
      const source = (channel * height + row) * width + left;
      part.set(data.subarray(source, source + columns), target);
      target += columns;
    }
  }
  return tensor(part, [1, channels, bottom - top, columns]);
}

function paste(tile: Tensor, map: Tensor, top: number, left: number): void {
  const [, channels, rows, columns] = tile.dims as [number, number, number, number];
  const [, , height, width] = map.dims as [number, number, number, number];
  let source = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < rows; row++) {
      const target = (channel * height + top + row) * width + left;
      map.data.set(tile.data.subarray(source, source + columns), target);
      source += columns;
    }
  }
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
