/** Who may use a GPU when. */
import assert from "node:assert/strict";
import { compileVae, compileVaeEncoder, parseVaeConfig } from "../../src/models/mod.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { Vae } from "../../src/pipeline/parts/vae.ts";
import { Turns } from "../../src/runtime/gpu_turns.ts";
import { Session, type SessionHost, type SessionOptions } from "../../src/runtime/session.ts";
import { createGenerator } from "../../src/random/mod.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { elementCount, tensor } from "../../src/tensor.ts";
import { fixture, readJson } from "../_fixtures.ts";

/** Work that notes its begin and its end, between which others get their turn. */
function noted(order: string[]) {
  return (name: string, fails = false) => async () => {
    order.push(`${name} begins`);
    await new Promise((go) => setTimeout(go, 1));
    order.push(`${name} ends`);
    if (fails) throw new RangeError(name);
    return name;
  };
}

Deno.test("what may run together does, and what runs alone waits for it and is waited for", async () => {
  const order: string[] = [];
  const work = noted(order);
  const turns = new Turns();
  const all = [
    turns.together(work("a")),
    turns.together(work("b")),
    turns.alone(work("c")),
    turns.alone(work("d")),
    turns.together(work("e")),
    turns.together(work("f")),
  ];
  assert.deepEqual(await Promise.all(all), ["a", "b", "c", "d", "e", "f"]);
  assert.deepEqual(order, [
    ...["a begins", "b begins", "a ends", "b ends"],
    ...["c begins", "c ends", "d begins", "d ends"],
    ...["e begins", "f begins", "e ends", "f ends"],
  ]);
});

Deno.test("what fails is told to whoever asked, and the next has its turn", async () => {
  const order: string[] = [];
  const work = noted(order);
  const turns = new Turns();
  const failing = [turns.together(work("a", true)), turns.alone(work("b", true))];
  const last = turns.together(work("c"));
  const ends = await Promise.allSettled(failing);
  assert.deepEqual(ends.map(({ status }) => status), ["rejected", "rejected"]);
  assert.equal(await last, "c");
});

Deno.test("all graphs of an autoencoder, whole or in tiles, are said to convolve", async () => {
  const asked: SessionOptions[] = [];
  const host: SessionHost = {
    create: (graph, options) => {
      asked.push(options);
      return Session.create(graph, options);
    },
  };
  const policy = DTYPE_POLICIES.cpu;
  const open = async (folder: string) => {
    const weights = await openWeights(folder);
    const file = `${folder}/config.json`;
    const json = await readJson(file);
    return { weights, file, json, config: parseVaeConfig(json, file, weights) };
  };
  const noise = (dims: readonly number[]) =>
    tensor(createGenerator({ seed: 1 }).randn(elementCount(dims)), dims);
  const { weights, config } = await open(fixture("autoencoder_tiny/taef1_like"));
  const other = await open(fixture("autoencoder_tiny_encoder/taesd_like"));
  await using vae = await Vae.create(config, compileVae(config, weights, policy), "cpu", {
    host,
    encoder: () => {
      return compileVaeEncoder(other.config, other.json, other.file, other.weights, policy);
    },
  });
  for (const options of [{ tiling: false }, { tiling: true, tileSize: 64 }] as const) {
    await vae.decode(noise([1, config.latent_channels, 5, 4]), options);
    await vae.encode(noise([1, 3, 64, 32]), options);
  }
  assert(asked.length > 3);
  assert(asked.every(({ convolves }) => convolves));
});
