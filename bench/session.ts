/** How long ONNX Runtime takes to make a session over weights in place. */
import { compileNextDiT, parseNextDiTConfig } from "../src/models/mod.ts";
import { DTYPE_POLICIES } from "../src/onnx/mod.ts";
import { Session } from "../src/runtime/session.ts";
import { openWeights } from "../src/safetensors/mod.ts";
import { median } from "./statistics.ts";

const FOLDER = "models/demo/next-dit";
const RUNS = 7;

/** The demo model's transformer, both graphs. */
export interface SessionResult {
  /** Header read, configuration checked, graphs compiled; milliseconds. */
  readonly compile: number;
  /** Both sessions made, weights in page cache; milliseconds. */
  readonly load: number;
  readonly weightsMebibytes: number;
}

/** Compiles and loads the demo model's transformer again and again. */
export async function benchSession(): Promise<SessionResult> {
  const file = `${FOLDER}/config.json`;
  const compiles: number[] = [];
  const loads: number[] = [];
  let bytes = 0;
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    const weights = await openWeights(FOLDER);
    const config = parseNextDiTConfig(JSON.parse(await Deno.readTextFile(file)), file, weights);
    const { text, steps } = compileNextDiT(config, weights, DTYPE_POLICIES.cpu);
    const compiled = performance.now();
    const sessions: Session[] = [];
    for (const graph of [text, ...steps]) {
      sessions.push(await Session.create(graph, { device: "cpu" }));
    }
    loads.push(performance.now() - compiled);
    compiles.push(compiled - start);
    bytes = [...weights.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    for (const session of sessions) await session[Symbol.asyncDispose]();
  }
  return {
    compile: median(compiles),
    load: median(loads),
    weightsMebibytes: bytes / 2 ** 20,
  };
}
