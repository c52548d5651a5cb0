/** Expected latents: diffusers', as tests/reference/autoencoder_encoders.py wrote them. */
import assert from "node:assert/strict";
import { ConfigError, RequestError } from "../../src/errors.ts";
import { compileVae, compileVaeEncoder, parseVaeConfig } from "../../src/models/autoencoder.ts";
import { CheckpointError, DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { Vae } from "../../src/pipeline/parts/vae.ts";
import { assertClose, fixture } from "../_fixtures.ts";
import { openCase } from "./_case.ts";

interface Run {
  readonly name: string;
}

const CPU = DTYPE_POLICIES.cpu;
const ROOMS = ["autoencoder_kl_encoder", "autoencoder_tiny_encoder"];

/** @param change What config.json says instead; undefined for none. */
async function load(path: string, change?: (json: object) => object | undefined) {
  const opened = await openCase<Run>(path);
  const { weights, file } = opened;
  const json = change === undefined ? opened.json as object : change(opened.json as object);
  const config = parseVaeConfig(json ?? opened.json, file, weights);
  const encoder = () => compileVaeEncoder(config, json, file, weights, CPU);
  return { ...opened, config, encoder };
}

for (const room of ROOMS) {
  for (const { name } of Deno.readDirSync(fixture(room))) {
    const testCase = `${room}/${name}`;
    Deno.test(`an autoencoder encodes as diffusers' does, in one run and in tiles: ${testCase}`, async () => {
      const { config, weights, encoder, runs, value } = await load(testCase);
      const graphs = compileVae(config, weights, CPU);
      await using vae = await Vae.create(config, graphs, "cpu", { encoder });
      for (const { name } of runs) {
        const image = value(`${name}.image`);
        const expected = value(`${name}.latents`);
        assertClose(await vae.encode(image), expected, 1e-5, name);
        for (const tileSize of [1, 9, 20]) {
          const tiled = await vae.encode(image, { tiling: true, tileSize });
          assertClose(tiled, expected, 1e-5, `${name}, in tiles of ${tileSize}`);
        }
      }
    });

    Deno.test(`an encoder's shapes say what a config.json would: ${testCase}`, async () => {
      const stated = await load(testCase);
      const shown = await load(testCase, () => undefined);
      assert.deepEqual(shown.encoder().whole.model, stated.encoder().whole.model);
    });
  }
}

Deno.test("an encoder of another kind is refused by name, when it is asked for", async () => {
  const changes = [
    ["autoencoder_kl_encoder/flux_like", { down_block_types: ["AttnDownEncoderBlock2D"] }],
    ["autoencoder_kl_encoder/flux_like", { in_channels: 4 }],
    ["autoencoder_tiny_encoder/taesd_like", { num_encoder_blocks: [1, 1, 1] }],
  ] as const;
  const words = [
    /AttnDownEncoderBlock2D is not supported/,
    /in_channels.*3 channels/,
    /3.*4 stages/,
  ];
  for (const [index, [path, change]] of changes.entries()) {
    const { encoder } = await load(path, (json) => ({ ...json, ...change }));
    assert.throws(encoder, (error) => {
      assert(error instanceof ConfigError);
      assert.match(error.message, words[index]!);
      return true;
    });
  }
});

Deno.test("an encoder whose tensors do not fit names all of them", async () => {
  const { encoder } = await load("autoencoder_kl_encoder/flux_like", (json) => ({
    ...json,
    use_quant_conv: true,
  }));
  assert.throws(encoder, (error) => {
    assert(error instanceof CheckpointError);
    const names = error.problems.map(({ tensor }) => tensor);
    assert.deepEqual(names, ["quant_conv.weight", "quant_conv.bias"]);
    return true;
  });
});

Deno.test("a file with a decoder alone decodes, and says so when a picture is to be encoded", async () => {
  for (const path of ["autoencoder_kl/flux_like", "autoencoder_tiny/taesd_original_names"]) {
    const { config, weights, encoder, value } = await load(path);
    const graphs = compileVae(config, weights, CPU);
    await using vae = await Vae.create(config, graphs, "cpu", { encoder });
    const image = await vae.decode(value("run0.latents"));
    await assert.rejects(vae.encode(image), (error) => {
      assert(error instanceof RequestError);
      assert.match(error.message, /is a decoder alone/);
      assert.match(error.explain("zh"), /只有解码器/);
      return true;
    });
  }
});
