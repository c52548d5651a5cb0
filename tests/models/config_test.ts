/** The wording of what is wrong with a value is zod's own, in both languages. */
import assert from "node:assert/strict";
import { ConfigError } from "../../src/errors.ts";
import { parseAutoencoderKLConfig } from "../../src/models/autoencoder_kl.ts";

function refused(json: unknown): ConfigError {
  try {
    parseAutoencoderKLConfig(json, "vae/config.json");
  } catch (error) {
    assert(error instanceof ConfigError);
    return error;
  }
  return assert.fail("was accepted");
}

Deno.test("a wrong config.json is explained in both languages, key by key", () => {
  const error = refused({ latent_channels: "16", act_fn: "magic", block_out_channels: [64, 0] });
  assert.equal(
    error.message,
    'vae/config.json: "latent_channels": Invalid input: expected number, received string; ' +
      '"block_out_channels.1": Too small: expected number to be >0; ' +
      '"act_fn": Invalid option: expected one of "silu"|"swish"|"relu"|"gelu". ' +
      "Compare it with the file published with the model.",
  );
  assert.equal(
    error.explain("zh"),
    'vae/config.json："latent_channels"：无效输入：期望 数字，实际接收 string；' +
      '"block_out_channels.1"：数值过小：期望 number >0；' +
      '"act_fn"：无效选项：期望以下之一 "silu"|"swish"|"relu"|"gelu"。请与随模型发布的文件对照。',
  );
});

Deno.test("a config.json that is no object is explained in both languages", () => {
  const error = refused([]);
  assert.match(
    error.message,
    /^vae\/config\.json: Invalid input: expected object, received array\./,
  );
  assert.match(error.explain("zh"), /^vae\/config\.json：无效输入：期望 object，实际接收 数组。/);
});

Deno.test("where the schema has words of its own, it has them in both languages", () => {
  const error = refused({ latents_mean: [0.5] });
  assert.match(error.message, /"latents_mean": normalised latents are not supported\./);
  assert.match(error.explain("zh"), /"latents_mean"：不支持归一化的 latent。/);
});
