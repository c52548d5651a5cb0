// Folders and indexes laid out by hand, as transformers and diffusers lay them out.
import assert from "node:assert/strict";
import { openWeights } from "../../src/safetensors/mod.ts";
import { inTempFolder } from "../_folders.ts";
import { fileBytes, headerText, names } from "./_writer.ts";

/** A file of float32 scalars with these names. */
function scalars(...tensors: string[]): Uint8Array {
  return fileBytes(
    headerText([
      ["__metadata__", { format: "pt", first: tensors[0] }],
      ...tensors.map((name, i) =>
        [name, { dtype: "F32", shape: [], data_offsets: [4 * i, 4 * i + 4] }] as const
      ),
    ]),
    new Uint8Array(4 * tensors.length),
  );
}

function index(weightMap: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ metadata: { total_size: 8, nested: [{}, null] }, weight_map: weightMap });
}

/** Writes files into a temporary folder and opens the folder, or a file in it. */
function withFiles(
  files: Readonly<Record<string, string | Uint8Array>>,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  return inTempFolder(async (folder) => {
    for (const [name, content] of Object.entries(files)) {
      await Deno.mkdir(`${folder}/${name}/..`.replace(/[^/]+\/\.\.$/, ""), { recursive: true });
      await Deno.writeFile(
        `${folder}/${name}`,
        typeof content === "string" ? new TextEncoder().encode(content) : content,
      );
    }
    await use(folder);
  });
}

async function refuses(path: string, source: string, ...messages: RegExp[]): Promise<void> {
  await assert.rejects(openWeights(path), (error: Error) => {
    assert(names(error, source), error.stack);
    for (const message of messages) assert.match(error.message, message);
    return true;
  });
}

const INDEX = "model.safetensors.index.json";

for (const name of ["model.safetensors", "diffusion_pytorch_model.safetensors"]) {
  Deno.test(`a folder's ${name} is found, before any index`, () =>
    withFiles({ [name]: scalars("a"), [INDEX]: index({}), "x.safetensors": "" }, async (folder) => {
      const weights = await openWeights(folder);
      assert.equal(weights.source, `${folder}/${name}`);
      assert.deepEqual([...weights.tensors.keys()], ["a"]);
    }));
}

Deno.test("an index joins its shards, in subfolders too", () =>
  withFiles({
    "part/2.safetensors": scalars("c"),
    "1.safetensors": scalars("a", "b"),
    "unrelated.safetensors": "not read",
    "my.safetensors.index.json": index({
      c: "./part/2.safetensors",
      a: "1.safetensors",
      b: "1.safetensors",
    }),
  }, async (folder) => {
    const weights = await openWeights(folder);
    const real = await Deno.realPath(folder);
    assert.equal(weights.source, `${folder}/my.safetensors.index.json`);
    assert.deepEqual(weights.files, [`${real}/1.safetensors`, `${real}/part/2.safetensors`]);
    assert.deepEqual([...weights.tensors.keys()], ["a", "b", "c"]);
    assert.equal(weights.tensors.get("c")?.file, `${real}/part/2.safetensors`);
    assert.deepEqual({ ...weights.metadata }, { format: "pt", first: "a" });
  }));

Deno.test("links are followed, as Hugging Face's cache needs", () =>
  withFiles(
    { "blobs/0a1b": scalars("a"), [`snapshot/${INDEX}`]: index({ a: "1.safetensors" }) },
    async (folder) => {
      await Deno.symlink("../blobs/0a1b", `${folder}/snapshot/1.safetensors`);
      const { files } = await openWeights(`${folder}/snapshot`);
      assert.deepEqual(files, [await Deno.realPath(`${folder}/blobs/0a1b`)]);
    },
  ));

Deno.test("opaque tensors of shards stand apart and are held to the index too", () =>
  withFiles(
    { "1.safetensors": scalars("a", "raw"), [INDEX]: index({ a: "1.safetensors" }) },
    async (folder) => {
      const path = `${folder}/${INDEX}`;
      await Deno.writeTextFile(path, index({ a: "1.safetensors", raw: "1.safetensors" }));
      const { tensors, opaque } = await openWeights(path, { opaque: ["raw"] });
      assert.deepEqual([[...tensors.keys()], [...opaque.keys()]], [["a"], ["raw"]]);
    },
  ));

Deno.test("two single files in a folder are refused by name", () =>
  withFiles({
    "model.safetensors": scalars("a"),
    "diffusion_pytorch_model.safetensors": scalars("a"),
  }, (folder) =>
    refuses(folder, folder, /"diffusion_pytorch_model\.safetensors" and "model\.safetensors"/)));

Deno.test("two indexes in a folder are refused by name", () =>
  withFiles(
    { [INDEX]: index({}), "other.safetensors.index.json": index({}) },
    (folder) =>
      refuses(folder, folder, /"model\.safetensors\.index\.json" and "other\.safetensors\.index/),
  ));

Deno.test("a folder without weights says what was looked for and what is there", () =>
  withFiles(
    { "one.safetensors": scalars("a"), "other.safetensors": scalars("a") },
    (folder) =>
      refuses(
        folder,
        folder,
        /neither model\.safetensors nor/,
        /hold "one\.safetensors", "other\.safetensors": name the one that is meant \(--transformer/,
      ),
  ));

Deno.test("shards without their index, and what was not fetched to its end, are told", async () => {
  const shards = {
    "model-00001-of-00002.safetensors": scalars("a"),
    "model-00002-of-00002.safetensors": scalars("b"),
  };
  await withFiles(
    shards,
    (folder) => refuses(folder, folder, /holds 2 shards, but not their index/),
  );
  for (const ending of ["crdownload", "aria2", "a1b2.incomplete"]) {
    const name = `model.safetensors.${ending}`;
    await withFiles(
      { [name]: scalars("a") },
      (folder) => refuses(folder, folder, new RegExp(`hold "${name}", which was not fetched`)),
    );
  }
});

Deno.test("a web page or a message in place of weights is told as that", async () => {
  const pages = [
    "<!DOCTYPE html><html>",
    '{"error":"Invalid"}',
    "Access to model a/b is restricted",
  ];
  for (const page of pages) {
    await withFiles(
      { "model.safetensors": new TextEncoder().encode(page) },
      (folder) =>
        refuses(folder, `${folder}/model.safetensors`, /no weights file but a text, which begins/),
    );
  }
});

Deno.test("a path that does not exist is refused by name", () =>
  inTempFolder((folder) => refuses(`${folder}/no`, `${folder}/no`, /no such file or folder/)));

Deno.test("all missing shards are named at once", () =>
  withFiles({
    "2.safetensors": "damaged: seen only when the set is complete",
    [INDEX]: index({ a: "1.safetensors", b: "2.safetensors", c: "3.safetensors" }),
  }, (folder) =>
    refuses(folder, `${folder}/${INDEX}`, /2 of 3 shards missing/, /"1.*", "3\.safetensors"/)));

Deno.test("a damaged shard is named itself", () =>
  withFiles(
    { "1.safetensors": "short", [INDEX]: index({ a: "1.safetensors" }) },
    (folder) => refuses(folder, `${folder}/1.safetensors`, /5 bytes, too few/),
  ));

Deno.test("where index and shards disagree about a tensor, that one alone cannot be used", () =>
  withFiles({
    "1.safetensors": scalars("a", "moved", "twice"),
    "2.safetensors": scalars("b", "twice", "extra"),
    [INDEX]: index({
      a: "1.safetensors",
      b: "2.safetensors",
      moved: "2.safetensors",
      twice: "1.safetensors",
      lacking: "1.safetensors",
    }),
  }, async (folder) => {
    const { tensors, unusable } = await openWeights(folder);
    assert.deepEqual([...tensors.keys()], ["a", "b", "extra"]);
    const said = (name: string) => {
      const error = unusable.get(name);
      assert(names(error, `${folder}/${INDEX}`), String(error));
      assert.equal(error?.tensor, name);
      return error?.message ?? "";
    };
    assert.match(said("moved"), /is in "1\.safetensors", but the index puts it into "2\.safetenso/);
    assert.match(said("twice"), /is both in "1\.safetensors" and in "2\.safetensors"/);
    assert.match(said("lacking"), /is not in "1\.safetensors", where the index puts it/);
  }));

Deno.test("the only safetensors file of a folder is meant, whatever its name and case", async () => {
  for (const name of ["newbie.safetensors", "NewBie.SAFETENSORS", "newbie.sft"]) {
    await withFiles({ [name]: scalars("a"), "._newbie.safetensors": "a Mac's" }, async (folder) => {
      assert.equal((await openWeights(folder)).source, `${folder}/${name}`);
    });
  }
});

Deno.test("the full weights are meant, or the variant that is asked for, or the only one", async () => {
  const full = "model.safetensors";
  const [half, ema] = ["model.fp16.safetensors", "model.non_ema.safetensors"];
  const shards = {
    "model.fp16-00001-of-00002.safetensors": scalars("a"),
    "model.fp16-00002-of-00002.safetensors": scalars("b"),
  };
  const where = { a: "model.fp16-00001-of-00002.safetensors" };
  for (
    const [files, variant, found] of [
      [{ [full]: scalars("a"), [half]: scalars("a") }, undefined, full],
      [{ [full]: scalars("a"), [half]: scalars("a") }, "fp16", half],
      [{ [half]: scalars("a"), [ema]: scalars("a") }, "non_ema", ema],
      [{ [half]: scalars("a") }, undefined, half],
      // As transformers and as diffusers name the index of a variant.
      [{ ...shards, "model.fp16.safetensors.index.json": index(where) }, "fp16", undefined],
      [{ ...shards, "model.safetensors.index.fp16.json": index(where) }, undefined, undefined],
    ] as const
  ) {
    await withFiles(files, async (folder) => {
      const { source } = await openWeights(folder, { variant });
      if (found === undefined) assert.match(source, /\.fp16\..*json$|index\.fp16\.json$/);
      else assert.equal(source, `${folder}/${found}`);
    });
  }
  await withFiles({ [half]: scalars("a"), [ema]: scalars("a") }, async (folder) => {
    await refuses(folder, folder, /2 variants .*--variant fp16 or --variant non_ema/);
    await assert.rejects(
      openWeights(folder, { variant: "bf16" }),
      /no weights of the variant "bf16"/,
    );
  });
});

for (
  const path of [
    "../1.safetensors",
    "a/../../1.safetensors",
    "/etc/passwd",
    "C:1.safetensors",
    "..\\1.safetensors",
    "1.safetensors\0",
    ".1.safetensors",
    "parts/.hidden/1.safetensors",
    ".",
    "",
  ]
) {
  Deno.test(`an index may not name the shard ${JSON.stringify(path)}`, () =>
    withFiles(
      { [INDEX]: index({ a: path }) },
      (folder) => refuses(folder, `${folder}/${INDEX}`, /in the index's own folder/),
    ));
}

for (
  const [title, text, message] of [
    ["bad JSON", '{"weight_map":{"a":}}', /byte 19: expected the file of tensor "a"/],
    ["nothing", "", /expected the index's opening brace, found the end/],
    ["a list", "[]", /expected the index's opening brace/],
    ["no weight_map", '{"metadata":{}}', /has no weight_map/],
    ["two weight_maps", '{"weight_map":{},"weight_map":{}}', /weight_map is given twice/],
    ["a shard that is a number", index({ a: 1 }), /in double quotes, found `1`/],
    [
      "a name twice",
      '{"weight_map":{"a":"1.safetensors","\\u0061":"1.safetensors"}}',
      /names "a" twice/,
    ],
    ["a wrong number elsewhere", '{"metadata":01,"weight_map":{}}', /expected a value/],
    ["deep nesting elsewhere", `{"x":${"[".repeat(1e5)}`, /nested more than 64 deep/],
  ] as const
) {
  Deno.test(`an index is refused for ${title}`, () =>
    withFiles({ [INDEX]: text }, (folder) => refuses(folder, `${folder}/${INDEX}`, message)));
}
