import { relativeError as relativeErrorOf } from "../../bench/_tensors.ts";
import type { SchedulerName, Velocity } from "../../src/schedulers/mod.ts";

const FOLDER = new URL("../fixtures/schedulers/", import.meta.url);

/** Reads what tests/reference/schedulers.py wrote. */
export async function readFixture<T>(name: string): Promise<T> {
  return JSON.parse(await Deno.readTextFile(new URL(name, FOLDER))) as T;
}

export function float32(base64: string): Float32Array {
  return new Float32Array(bytes(base64));
}

export function float64(base64: string): Float64Array {
  return new Float64Array(bytes(base64));
}

function bytes(base64: string): ArrayBuffer {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer;
}

/** ‖out − expected‖ / ‖expected‖. */
export function relativeError(out: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (out.length !== expected.length) return Infinity;
  return relativeErrorOf(out, expected);
}

export interface SamplerRun {
  readonly name: SchedulerName;
  readonly steps: number;
  readonly shift: number;
  readonly times: string;
  readonly result: string;
  readonly resultInFloat32?: string;
}

export interface SamplerFixture {
  readonly channels: number;
  readonly mix: string;
  readonly drift: string;
  readonly noise: string;
  readonly runs: readonly SamplerRun[];
}

/**
 * The velocity field of the fixture, A·tanh(x) + b·t over [batch, channels, pixels], answering in
 * one buffer for all calls, as a model may. `asked` receives the times.
 */
export function fixtureVelocity(fixture: SamplerFixture, asked: number[]): Velocity {
  const { channels } = fixture;
  const mix = float32(fixture.mix);
  const drift = float32(fixture.drift);
  const noise = float32(fixture.noise);
  const batch = 2;
  const pixels = noise.length / batch / channels;
  const buffer = new Float32Array(noise.length);

  return (latents, timestep) => {
    asked.push(timestep);
    for (let sample = 0; sample < batch; sample++) {
      for (let out = 0; out < channels; out++) {
        for (let pixel = 0; pixel < pixels; pixel++) {
          let sum = drift[out]! * timestep;
          for (let c = 0; c < channels; c++) {
            const x = latents[(sample * channels + c) * pixels + pixel]!;
            sum += mix[out * channels + c]! * Math.tanh(x);
          }
          buffer[(sample * channels + out) * pixels + pixel] = sum;
        }
      }
    }
    return Promise.resolve(buffer);
  };
}
