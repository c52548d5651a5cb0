/**
 * Whether the parts of a checkpoint were made for each other.
 *
 * @module
 */
import { ConfigError } from "../../errors.ts";
import type { PartName } from "../../families/mod.ts";
import type { Texts } from "../../language.ts";
import type { Gemma3Config, JinaClipConfig, NextDiTConfig, VaeConfig } from "../../models/mod.ts";

/** A configuration, and the file that messages name for it. */
export interface Stated<Config> {
  readonly file: string;
  readonly config: Config;
}

/** The configuration of each part. */
export interface ConfigOf {
  readonly transformer: NextDiTConfig;
  readonly textEncoder: Gemma3Config;
  readonly clipModel: JinaClipConfig;
  readonly vae: VaeConfig;
}

/** What must agree between another part and the transformer: a key of each. */
const WIDTHS: {
  readonly [P in Exclude<PartName, "transformer">]: {
    readonly key: string;
    readonly has: (config: ConfigOf[P]) => number;
    readonly wanted: string;
    readonly takes: (config: NextDiTConfig) => number | undefined;
  };
} = {
  vae: {
    key: "latent_channels",
    has: ({ latent_channels }) => latent_channels,
    wanted: "in_channels",
    takes: ({ in_channels }) => in_channels,
  },
  textEncoder: {
    key: "hidden_size",
    has: ({ hidden_size }) => hidden_size,
    wanted: "cap_feat_dim",
    takes: ({ cap_feat_dim }) => cap_feat_dim,
  },
  clipModel: {
    key: "hidden_size",
    has: ({ hidden_size }) => hidden_size,
    wanted: "clip_text_dim",
    takes: ({ clip_text_dim }) => clip_text_dim,
  },
};

/** Why a part does not fit a transformer; undefined where it does, or where none is taken. */
export function misfit<P extends keyof typeof WIDTHS>(
  part: P,
  { config }: Stated<ConfigOf[P]>,
  transformer: Stated<NextDiTConfig>,
): Texts<string> | undefined {
  const { key, has, wanted, takes } = WIDTHS[part];
  const found = has(config);
  const expected = takes(transformer.config);
  if (expected === undefined || found === expected) return undefined;
  return {
    en: `${key} is ${found}, but the transformer (${transformer.file}) needs ${expected} ` +
      `(${wanted}): these two were not made for each other`,
    zh: `${key} 是 ${found}，但 Transformer（${transformer.file}）需要 ${expected}（${wanted}）：` +
      "两者并不配套",
  };
}

/**
 * Refuses parts whose widths differ from what the transformer takes.
 *
 * @throws {ConfigError} Naming both files and both numbers.
 */
export function expectFit(
  parts: { readonly [P in keyof ConfigOf]?: Stated<ConfigOf[P]> | undefined } & {
    readonly transformer: Stated<NextDiTConfig>;
  },
): void {
  const expect = <P extends keyof typeof WIDTHS>(
    name: P,
    part: Stated<ConfigOf[P]> | undefined,
  ) => {
    const problem = part && misfit(name, part, parts.transformer);
    if (problem !== undefined) throw new ConfigError(part!.file, [problem]);
  };
  expect("vae", parts.vae);
  expect("textEncoder", parts.textEncoder);
  expect("clipModel", parts.clipModel);
}
