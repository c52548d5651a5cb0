/** One case of an architecture, as a script of tests/reference wrote it. */
import { openWeights, type Weights } from "../../src/safetensors/mod.ts";
import type { Tensor } from "../../src/tensor.ts";
import { fixture, readJson, readTensors } from "../_fixtures.ts";

/** A checkpoint, and what the reference implementation made with it. */
export interface Case<Run> {
  readonly weights: Weights;
  /** The parsed config.json. */
  readonly json: unknown;
  /** Where that lies. */
  readonly file: string;
  readonly runs: readonly Run[];
  /** The runs' inputs and outputs; names begin with the run's. */
  readonly value: (name: string) => Tensor;
}

/** Opens a case by its path under tests/fixtures. */
export async function openCase<Run>(path: string): Promise<Case<Run>> {
  const folder = fixture(path);
  const file = `${folder}/config.json`;
  const { runs } = await readJson<{ runs: Run[] }>(`${folder}/io.json`);
  return {
    weights: await openWeights(folder),
    json: await readJson(file),
    file,
    runs,
    value: await readTensors(`${folder}/io.safetensors`),
  };
}
