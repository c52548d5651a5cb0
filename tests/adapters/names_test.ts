/** What programs call the same modules. The names are those of files that go about. */
import assert from "node:assert/strict";
import {
  adaptablePart,
  type AdaptableParts,
  denseChange,
  readAdapter,
} from "../../src/adapters/mod.ts";
import { parsePeftConfig } from "../../src/adapters/_peft_config.ts";
import { NEWBIE, type PartName } from "../../src/families/mod.ts";
import { openWeights, type TensorSource } from "../../src/safetensors/mod.ts";
import { inTempFolder, temporaryFolder } from "../_folders.ts";
import { partsOf } from "./_cases.ts";
import { float32, lora, writeAdapter } from "./_written.ts";

/** Modules of the transformer with their shapes in `base_12`, by upstream's names. */
const MODULES: Readonly<Record<string, readonly [number, number]>> = {
  "x_embedder": [12, 16],
  "cap_embedder.1": [12, 10],
  "time_text_embed.1": [12, 18],
  "clip_text_pooled_proj.1": [6, 6],
  "final_layer.linear": [16, 12],
  "final_layer.adaLN_modulation.1": [12, 12],
  "layers.1.attention.qkv": [20, 12],
  "layers.0.attention.out": [12, 12],
  "layers.0.feed_forward.w2": [12, 20],
  "layers.0.adaLN_modulation.1": [48, 12],
  "noise_refiner.0.feed_forward.w3": [20, 12],
  "context_refiner.0.attention.qkv": [20, 12],
};

const flat = (module: string) => module.replaceAll(".", "_");

const STYLES: Readonly<
  Record<string, { module: (name: string) => string; down?: string; up?: string; format: string }>
> = {
  "kohya": { module: (name) => `lora_unet_${flat(name)}`, format: "kohya" },
  "OneTrainer": { module: (name) => `lora_transformer_${flat(name)}`, format: "kohya" },
  "LyCORIS": { module: (name) => `lycoris_${flat(name)}`, format: "lycoris" },
  "ComfyUI": {
    module: (name) => `diffusion_model.${name}`,
    down: ".lora_A.weight",
    up: ".lora_B.weight",
    format: "comfyui",
  },
  "ComfyUI with the checkpoint's prefix": {
    module: (name) => `model.diffusion_model.${name}`,
    format: "comfyui",
  },
  "diffusers": {
    module: (name) => `transformer.${name}`,
    down: ".lora_A.weight",
    up: ".lora_B.weight",
    format: "diffusers",
  },
  "diffusers, an older one": {
    module: (name) => `transformer.${name}`,
    down: ".lora.down.weight",
    up: ".lora.up.weight",
    format: "diffusers",
  },
  "diffusers, an even older one": {
    module: (name) => name,
    down: "_lora.down.weight",
    up: "_lora.up.weight",
    format: "plain",
  },
  "PEFT": {
    module: (name) => `base_model.model.${name}`,
    down: ".lora_A.weight",
    up: ".lora_B.weight",
    format: "peft",
  },
  "PEFT with the adapter's name": {
    module: (name) => `base_model.model.${name}`,
    down: ".lora_A.default.weight",
    up: ".lora_B.default.weight",
    format: "peft",
  },
  "PEFT over a compiled model": {
    module: (name) => `base_model.model._orig_mod.${name}`,
    down: ".lora_A.weight",
    up: ".lora_B.weight",
    format: "peft",
  },
  "no prefix": {
    module: (name) => name,
    down: ".lora_A.weight",
    up: ".lora_B.weight",
    format: "plain",
  },
};

for (const [style, { module, down, up, format }] of Object.entries(STYLES)) {
  Deno.test(`modules are found by the names of ${style}`, async () => {
    await inTempFolder(async (folder) => {
      const ends = { ...(down === undefined ? {} : { down }), ...(up === undefined ? {} : { up }) };
      const path = await writeAdapter(
        folder,
        Object.entries(MODULES).flatMap(([name, shape]) => lora(module(name), shape, ends)),
      );
      const adapter = await readAdapter(path, await partsOf("base_12"));
      const targets = adapter.parts.get("transformer")!;
      assert.deepEqual(
        targets.map(({ tensor }) => tensor).sort(),
        Object.keys(MODULES).map((name) => `${name}.weight`).sort(),
      );
      assert(targets.every(({ change }) => change.kind === "low-rank" && change.scale === 1));
      assert.equal(adapter.format, format);
    });
  });
}

/** Where `base_12` has the rows of queries, keys and values. */
const ROWS = { q: [0, 12], k: [12, 16], v: [16, 20] } as const;

for (
  const style of [
    "transformer.layers.0.attn.to_X",
    "layers.0.attention.to_X",
    "lora_unet_layers_0_attention_to_X",
    "lora_transformer_layers_0_attn_to_X",
  ]
) {
  Deno.test(`queries, keys and values apart are rows of one matrix: ${style}`, async () => {
    await inTempFolder(async (folder) => {
      const tensors = (["q", "k", "v"] as const).flatMap((name) =>
        lora(style.replace("X", name), [ROWS[name][1] - ROWS[name][0], 12])
      );
      const path = await writeAdapter(folder, tensors);
      const adapter = await readAdapter(path, await partsOf("base_12"));
      const targets = adapter.parts.get("transformer")!;
      assert.deepEqual(
        targets.map(({ tensor }) => tensor),
        Array(3).fill("layers.0.attention.qkv.weight"),
      );
      assert.deepEqual(targets.map(({ rows }) => rows), [ROWS.q, ROWS.k, ROWS.v]);
    });
  });
}

async function allParts(): Promise<AdaptableParts> {
  const [gemma, jina] = await Promise.all([
    openWeights("tests/fixtures/gemma3/flat_version_5/model.safetensors"),
    openWeights("tests/fixtures/jina_clip/official_names/model.safetensors"),
  ]);
  return {
    ...await partsOf("base_12"),
    textEncoder: adaptablePart(NEWBIE.networks.textEncoder, gemma)!,
    clipModel: adaptablePart(NEWBIE.networks.clipModel, jina)!,
  };
}

const ENCODERS: readonly (readonly [name: string, part: PartName, tensor: string])[] = [
  ["lora_te_layers_0_self_attn_q_proj", "textEncoder", "layers.0.self_attn.q_proj"],
  ["lora_te1_model_layers_1_mlp_down_proj", "textEncoder", "layers.1.mlp.down_proj"],
  ["text_encoder.model.layers.0.mlp.up_proj", "textEncoder", "layers.0.mlp.up_proj"],
  [
    "text_encoders.gemma3_4b.transformer.model.layers.0.self_attn.o_proj",
    "textEncoder",
    "layers.0.self_attn.o_proj",
  ],
  [
    "base_model.model.model.language_model.layers.0.self_attn.v_proj",
    "textEncoder",
    "layers.0.self_attn.v_proj",
  ],
  ["lora_te2_encoder_layers_0_mixer_Wqkv", "clipModel", "encoder.layers.0.mixer.Wqkv"],
  [
    "clip_model.text_model.transformer.encoder.layers.1.mlp.fc1",
    "clipModel",
    "encoder.layers.1.mlp.fc1",
  ],
  [
    "text_encoders.jina_clip_2.transformer.model.encoder.layers.0.mixer.out_proj",
    "clipModel",
    "encoder.layers.0.mixer.out_proj",
  ],
];

for (const [name, part, module] of ENCODERS) {
  Deno.test(`${name} belongs to the ${part}`, async () => {
    const parts = await allParts();
    const shape = parts[part]!.tensors.get(`${module}.weight`) as [number, number];
    await inTempFolder(async (folder) => {
      const path = await writeAdapter(folder, lora(name, shape));
      const adapter = await readAdapter(path, parts);
      assert.deepEqual([...adapter.parts.keys()], [part]);
      assert.deepEqual(adapter.parts.get(part)!.map(({ tensor }) => tensor), [`${module}.weight`]);
    });
  });
}

Deno.test("a vision tower's layers are not the text model's of the same names", async () => {
  await inTempFolder(async (folder) => {
    const name = "lora_te_vision_tower_vision_model_encoder_layers_0_self_attn_q_proj";
    const path = await writeAdapter(folder, lora(name, [32, 32]));
    await assert.rejects(readAdapter(path, await allParts()), /2 keys name modules/);
  });
});

Deno.test("the alpha is divided by the rank, and 0 stands for the rank", async () => {
  const scale = async (alpha: number) => {
    await using folder = await temporaryFolder();
    const name = "lora_unet_layers_0_attention_out";
    const path = await writeAdapter(folder.path, [
      ...lora(name, [12, 12], { rank: 4 }),
      float32(`${name}.alpha`, [], () => alpha),
    ]);
    const adapter = await readAdapter(path, await partsOf("base_12"));
    const [target] = adapter.parts.get("transformer")!;
    return target?.change.kind === "low-rank" ? target.change.scale : undefined;
  };
  assert.equal(await scale(2), 0.5);
  assert.equal(await scale(-8), -2);
  assert.equal(await scale(0), 1);
});

/** What the numbers 3, of one byte or more, are in the dtypes that programs have put alphas into. */
const THREE: Readonly<Record<string, ArrayBufferView>> = {
  F64: Float64Array.of(3),
  F16: Float16Array.of(3),
  BF16: Uint16Array.of(0x4040),
  I64: BigInt64Array.of(3n),
  I32: Int32Array.of(3),
  U8: Uint8Array.of(3),
  I8: Int8Array.of(3),
};

Deno.test("an alpha is any one number, of whatever dtype and shape", async () => {
  const name = "lora_unet_layers_0_attention_out";
  for (const [dtype, { buffer }] of Object.entries(THREE)) {
    for (const shape of [[], [1], [1, 1]]) {
      await using folder = await temporaryFolder();
      const path = await writeAdapter(folder.path, [
        ...lora(name, [12, 12], { rank: 4 }),
        {
          name: `${name}.alpha`,
          dtype: dtype as "F16",
          shape,
          bytes: () => [new Uint8Array(buffer)],
        },
      ]);
      const [target] = (await readAdapter(path, await partsOf("base_12"))).parts.get(
        "transformer",
      )!;
      assert(target?.change.kind === "low-rank");
      assert.equal(target.change.scale, 0.75, `${dtype} [${shape}]`);
    }
  }
});

Deno.test("a file alone has PEFT's rank and alpha from what NewBie's ComfyUI node reads", async () => {
  const name = "base_model.model.layers.0.attention.out";
  const scale = async (metadata: Record<string, string>, more: TensorSource[] = []) => {
    await using folder = await temporaryFolder();
    const keys = lora(name, [12, 12], { rank: 4, down: ".lora_A.weight", up: ".lora_B.weight" });
    const path = await writeAdapter(folder.path, [...keys, ...more], metadata);
    const [target] = (await readAdapter(path, await partsOf("base_12"))).parts.get("transformer")!;
    assert(target?.change.kind === "low-rank");
    return target.change.scale;
  };
  assert.equal(await scale({ lora_rank: "4", lora_alpha: "6" }), 1.5);
  assert.equal(await scale({ lora_rank: "4" }), 1);
  assert.equal(await scale({ lora_rank: "none", lora_alpha: "6" }), 1);
  const alpha = [float32(`${name}.alpha`, [], () => 2)];
  assert.equal(await scale({ lora_rank: "4", lora_alpha: "6" }, alpha), 0.5);
  await assert.rejects(scale({ lora_rank: "8", lora_alpha: "8" }), /says 8, the tensors have 4/);
});

Deno.test("matrices may be in float8, and have the further extents of a 1×1 convolution", async () => {
  await using folder = await temporaryFolder();
  const name = "lora_unet_layers_0_attention_out";
  const path = await writeAdapter(folder.path, [
    // 1.5 and -2 in e4m3, 0.25 in e5m2.
    {
      name: `${name}.lora_down.weight`,
      dtype: "F8_E4M3",
      shape: [1, 12, 1, 1],
      bytes: () => [Uint8Array.from({ length: 12 }, (_, index) => index % 2 === 0 ? 0x3c : 0xc0)],
    },
    {
      name: `${name}.lora_up.weight`,
      dtype: "F8_E5M2",
      shape: [12, 1, 1, 1],
      bytes: () => [new Uint8Array(12).fill(0x34)],
    },
  ]);
  const adapter = await readAdapter(path, await partsOf("base_12"));
  const [target] = adapter.parts.get("transformer")!;
  const values = await denseChange(target!);
  assert.deepEqual(
    values,
    Float32Array.from({ length: 144 }, (_, index) => index % 2 === 0 ? 0.375 : -0.5),
  );
});

Deno.test("the words that call an adapter up are told where its file has them", async () => {
  await inTempFolder(async (folder) => {
    const path = await writeAdapter(folder, lora("lora_unet_x_embedder", [12, 16]), {
      "modelspec.trigger_phrase": "night light, rin",
    });
    const adapter = await readAdapter(path, await partsOf("base_12"));
    assert.deepEqual(adapter.triggerWords, ["night light", "rin"]);
  });
});

Deno.test("patterns of rank and alpha are matched as PEFT matches them", () => {
  const alpha_pattern = {
    "^layers.0.attn$": 5,
    "layers\\.[0-1]\\.qkv": 7,
    "^layers\\.1\\.attn$": 9,
    "attn": 11,
    "^foo.*$": 12,
  };
  const config = parsePeftConfig({ peft_type: "LORA", r: 2, lora_alpha: 1, alpha_pattern }, "")!;
  // What peft 0.21.2's get_pattern_key finds.
  for (
    const [module, alpha] of [
      ["layers.0.attn", 5],
      ["x.layers.0.attn", 11],
      ["layers.1.attn", 9],
      ["a.layers.1.qkv", 7],
      ["layers.2.qkv", 1],
      ["foo.b", 12],
      ["a.foo.b", 1],
    ] as const
  ) {
    assert.equal(config.of(module).alpha, alpha, module);
  }
});
