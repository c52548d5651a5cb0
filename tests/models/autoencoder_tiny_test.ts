import assert from "node:assert/strict";
import { ConfigError } from "../../src/errors.ts";
import { compileVae, parseVaeConfig } from "../../src/models/autoencoder.ts";
import { parseAutoencoderTinyConfig } from "../../src/models/autoencoder_tiny.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { Vae } from "../../src/pipeline/parts/vae.ts";
import { openWeights } from "../../src/safetensors/mod.ts";
import { assertClose, fixture, readJson } from "../_fixtures.ts";
import { openCase } from "./_case.ts";

/** As tests/reference/autoencoders.py wrote it. */
interface Run {
  readonly name: string;
}

for (const { name: testCase } of Deno.readDirSync(fixture("autoencoder_tiny"))) {
  Deno.test(`AutoencoderTiny decodes diffusers' pictures: ${testCase}`, async () => {
    const { weights, json, file, runs, value } = await openCase<Run>(
      `autoencoder_tiny/${testCase}`,
    );
    const config = parseVaeConfig(json, file, weights);
    const graphs = compileVae(config, weights, DTYPE_POLICIES.cpu);
    await using vae = await Vae.create(config, graphs, "cpu");
    for (const { name } of runs) {
      const image = await vae.decode(value(`${name}.latents`));
      assertClose(image, value(`${name}.image`), 1e-5, name);
    }
  });

  Deno.test(`AutoencoderTiny needs no config.json: ${testCase}`, async () => {
    const folder = fixture(`autoencoder_tiny/${testCase}`);
    const weights = await openWeights(folder);
    const file = `${folder}/config.json`;
    assert.deepEqual(
      parseVaeConfig(undefined, folder, weights),
      parseVaeConfig(await readJson(file), file, weights),
    );
  });
}

Deno.test("what an AutoencoderTiny's config.json does not say is as in diffusers", () => {
  // diffusers 0.42.1, `AutoencoderTiny.__init__`.
  assert.deepEqual(parseAutoencoderTinyConfig({}, "config.json"), {
    _class_name: "AutoencoderTiny",
    latent_channels: 4,
    out_channels: 3,
    decoder_block_out_channels: [64, 64, 64, 64],
    num_decoder_blocks: [3, 3, 3, 1],
    upsampling_scaling_factor: 2,
    act_fn: "relu",
    scaling_factor: 1,
    shift_factor: 0,
  });
});

Deno.test("an autoencoder of another kind is refused by name", async () => {
  const weights = await openWeights(fixture("autoencoder_tiny/taesd_like"));
  assert.throws(
    () => parseVaeConfig({ _class_name: "AutoencoderDC" }, "vae/config.json", weights),
    (error) => {
      assert(error instanceof ConfigError);
      assert.match(error.message, /_class_name.*AutoencoderKL.*AutoencoderTiny/);
      return true;
    },
  );
  assert.throws(
    () => parseAutoencoderTinyConfig({ num_decoder_blocks: [1, 1] }, "config.json"),
    /4 stages, but num_decoder_blocks has 2/,
  );
});
