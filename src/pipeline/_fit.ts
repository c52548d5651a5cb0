/** Whether the parts of a checkpoint were made for each other. */
import { ConfigError } from "../errors.ts";
import type { VaeConfig } from "../models/autoencoder.ts";
import type { Gemma3Config } from "../models/gemma3.ts";
import type { JinaClipConfig } from "../models/jina_clip.ts";
import type { NextDiTConfig } from "../models/next_dit_config.ts";

/** A configuration, and the file that messages name for it. */
export interface Stated<Config> {
  readonly file: string;
  readonly config: Config;
}

/** The configurations of a checkpoint. */
export interface StatedParts {
  readonly transformer: Stated<NextDiTConfig>;
  readonly textEncoder: Stated<Gemma3Config>;
  readonly clipModel?: Stated<JinaClipConfig> | undefined;
  readonly vae: Stated<VaeConfig>;
}

/**
 * Refuses parts whose widths differ from what the transformer takes.
 *
 * @throws {ConfigError} Naming both files and both numbers.
 */
export function expectFit({ transformer, textEncoder, clipModel, vae }: StatedParts): void {
  const { cap_feat_dim, clip_text_dim, in_channels } = transformer.config;
  const expect = (file: string, key: string, found: number, wanted: string, expected: number) => {
    if (found === expected) return;
    throw new ConfigError(file, [{
      en: `${key} is ${found}, but the transformer (${transformer.file}) needs ${expected} ` +
        `(${wanted}): these two were not made for each other`,
      zh:
        `${key} 是 ${found}，但 Transformer（${transformer.file}）需要 ${expected}（${wanted}）：` +
        "两者并不配套",
    }]);
  };
  expect(vae.file, "latent_channels", vae.config.latent_channels, "in_channels", in_channels);
  expect(
    textEncoder.file,
    "hidden_size",
    textEncoder.config.hidden_size,
    "cap_feat_dim",
    cap_feat_dim,
  );
  if (clipModel === undefined || clip_text_dim === undefined) return;
  expect(
    clipModel.file,
    "hidden_size",
    clipModel.config.hidden_size,
    "clip_text_dim",
    clip_text_dim,
  );
}
