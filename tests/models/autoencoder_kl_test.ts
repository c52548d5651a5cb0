import assert from "node:assert/strict";
import { ConfigError } from "../../src/errors.ts";
import { compileVae, parseVaeConfig } from "../../src/models/autoencoder.ts";
import {
  autoencoderKLShown,
  parseAutoencoderKLConfig,
  publishedKLFactors,
} from "../../src/models/autoencoder_kl.ts";
import { CheckpointError, DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { Vae } from "../../src/pipeline/parts/vae.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { assertClose, fixture, readJson } from "../_fixtures.ts";
import { openCase } from "./_case.ts";

/** As tests/reference/autoencoders.py wrote it. */
interface Run {
  readonly name: string;
}

for (const { name: testCase } of Deno.readDirSync(fixture("autoencoder_kl"))) {
  Deno.test(`AutoencoderKL decodes diffusers' pictures: ${testCase}`, async () => {
    const { weights, json, file, runs, value } = await openCase<Run>(`autoencoder_kl/${testCase}`);
    const config = parseVaeConfig(json, file, weights);
    const graphs = compileVae(config, weights, DTYPE_POLICIES.cpu);
    await using vae = await Vae.create(config, graphs, "cpu");
    for (const { name } of runs) {
      const latents = value(`${name}.latents`);
      const expected = value(`${name}.image`);
      assertClose(await vae.decode(latents), expected, 1e-5, name);
      const tiled = await vae.decode(latents, { tiling: true, tileSize: 5 });
      assertClose(tiled, expected, 1e-5, `${name}, in tiles`);
    }
  });
}

Deno.test("an AutoencoderKL without config.json is known by its tensors' shapes", async () => {
  for (const name of ["flux_original_names", "quant_conv_first_attention_names"]) {
    const folder = fixture(`autoencoder_kl/${name}`);
    const file = `${folder}/config.json`;
    const stated = parseAutoencoderKLConfig(await readJson(file), file);
    const shown = autoencoderKLShown(await openWeights(folder));
    // What no shape shows; every published model has groups of 32.
    const { norm_num_groups, scaling_factor, shift_factor } = stated;
    const facts = publishedKLFactors(stated.latent_channels, file) as Record<string, unknown>;
    assert.equal(facts.norm_num_groups, 32);
    const hidden = { norm_num_groups, scaling_factor, shift_factor };
    assert.deepEqual(parseAutoencoderKLConfig({ ...shown, ...hidden }, file), stated);
  }
});

Deno.test("what an AutoencoderKL's config.json does not say is as in diffusers", () => {
  // diffusers 0.42.1, `AutoencoderKL.__init__`.
  assert.deepEqual(parseAutoencoderKLConfig({}, "config.json"), {
    _class_name: "AutoencoderKL",
    latent_channels: 4,
    out_channels: 3,
    block_out_channels: [64],
    layers_per_block: 1,
    norm_num_groups: 32,
    act_fn: "silu",
    use_post_quant_conv: true,
    mid_block_add_attention: true,
    scaling_factor: 0.18215,
    shift_factor: 0,
  });
});

Deno.test("an AutoencoderKL that differs in kind is refused by name", () => {
  const stages = { block_out_channels: [32, 40], norm_num_groups: 16 };
  const up_block_types = ["AttnUpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"];
  assert.throws(
    () => parseAutoencoderKLConfig({ ...stages, up_block_types }, "vae/config.json"),
    (error) => {
      assert(error instanceof ConfigError);
      assert.match(error.message, /^vae\/config\.json: /);
      assert.match(error.message, /AttnUpDecoderBlock2D is not supported/);
      assert.match(error.message, /3 stages, but block_out_channels has 2/);
      assert.match(error.message, /40 channels cannot be cut into norm_num_groups 16/);
      return true;
    },
  );
});

Deno.test("weights that do not fit an AutoencoderKL's config.json are all named", async () => {
  const folder = fixture("autoencoder_kl/flux_like");
  const weights = await openWeights(folder);
  const json = await readJson<object>(`${folder}/config.json`);
  const config = parseVaeConfig({ ...json, use_post_quant_conv: true }, "config.json", weights);
  assert.throws(
    () => compileVae(config, weights, DTYPE_POLICIES.cpu),
    (error) => {
      assert(error instanceof CheckpointError);
      assert.deepEqual(
        error.problems.map(({ tensor, found }) => {
          return { tensor, found };
        }),
        [
          { tensor: "post_quant_conv.weight", found: undefined },
          { tensor: "post_quant_conv.bias", found: undefined },
        ],
      );
      return true;
    },
  );
});
