import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { encodePng } from "../../src/image/mod.ts";
import {
  BATCH_KEYWORD,
  finishedItems,
  isInShard,
  parseShard,
  readBatch,
} from "../../src/studio/batch.ts";
import { UnfinishedFile } from "../../src/unfinished.ts";
import type { AskedSettings } from "../../src/settings/mod.ts";
import { filesBelow, inTempFolder } from "../_folders.ts";

const DEFAULTS = { numInferenceSteps: 30, guidanceScale: 7 };
const dot = { data: new Uint8ClampedArray(3), width: 1, height: 1 };

async function batchOf(
  folder: string,
  lines: string[],
  defaults: AskedSettings = DEFAULTS,
  count = 1,
) {
  await Deno.writeTextFile(`${folder}/prompts.jsonl`, lines.join("\n"));
  return await readBatch(`${folder}/prompts.jsonl`, defaults, count);
}

const idsOf = ({ items }: Awaited<ReturnType<typeof readBatch>>) => items.map(({ id }) => id);

Deno.test("a batch has an item a line, with its place, name and request", async () => {
  await inTempFolder(async (folder) => {
    const { name, items, faults } = await batchOf(folder, [
      '\ufeff{"prompt": "a", "seed": 7}',
      "",
      '{"prompt": "b", "output": "sub/b", "steps": 5}\r',
    ]);
    assert.equal(name, "prompts");
    assert.deepEqual(faults, []);
    const [a, b] = items;
    assert.equal(items.length, 2);
    assert.deepEqual(a!.request, { ...DEFAULTS, prompt: "a", generator: { seed: 7 } });
    assert.deepEqual([a!.place, a!.name], [`${folder}/prompts.jsonl:1`, "0001.png"]);
    assert.deepEqual([b!.place, b!.name], [`${folder}/prompts.jsonl:3`, "sub/b.png"]);
    assert.equal(b!.request.numInferenceSteps, 5);
    assert.equal(b!.request.guidanceScale, 7);
  });
});

Deno.test("what enlarges is a name, or a file below the batch's folder", async () => {
  await inTempFolder(async (folder) => {
    const line = (upscaler: string) =>
      JSON.stringify({ prompt: upscaler, hires: 2, hires_upscaler: upscaler });
    const inside = ["lanczos", "a name", "nets/x.safetensors"];
    const outside = ["/etc/passwd", "../x.safetensors", "nets/../../x.safetensors"];
    const { items, faults } = await batchOf(folder, [...inside, ...outside].map(line));
    assert.deepEqual(items.map(({ request }) => [request.hires!.scale, request.hires!.upscaler]), [
      [2, "lanczos"],
      [2, "a name"],
      [2, `${folder}/nets/x.safetensors`],
    ]);
    assert.equal(faults.length, outside.length);
    for (const { error } of faults) assert.match(error.message, /lies outside of the batch's/);
  });
});

Deno.test("a batch may be a folder of XML files", async () => {
  await inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/many`);
    await Deno.writeTextFile(`${folder}/many/b.xml`, "<b>2</b>");
    await Deno.writeTextFile(`${folder}/many/a.XML`, "<a>1</a>");
    await Deno.writeTextFile(`${folder}/many/notes.txt`, "not a prompt");
    const { name, items } = await readBatch(`${folder}/many/`, DEFAULTS);
    assert.equal(name, "many");
    assert.deepEqual(items.map((item) => [item.name, item.request.prompt]), [
      ["a.png", "<a>1</a>"],
      ["b.png", "<b>2</b>"],
    ]);
  });
});

Deno.test("prompt_file is read from the batch's folder", async () => {
  await inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/deep`);
    await Deno.writeTextFile(`${folder}/deep/a.xml`, "<a>1</a>");
    await Deno.writeTextFile(
      `${folder}/deep/p.jsonl`,
      '{"prompt_file": "a.xml"}\n{"prompt_file": "none.xml"}',
    );
    const { items, faults } = await readBatch(`${folder}/deep/p.jsonl`, DEFAULTS);
    assert.deepEqual(items.map(({ request }) => request.prompt), ["<a>1</a>"]);
    assert.equal(faults[0]!.place, `${folder}/deep/p.jsonl:2`);
    assert.match(faults[0]!.error.message, /none\.xml/);
  });
});

Deno.test("a batch may be a JSON array, a single request over several lines, or a prompt a line", async () => {
  await inTempFolder(async (folder) => {
    const read = async (name: string, text: string) => {
      await Deno.writeTextFile(`${folder}/${name}`, text);
      return await readBatch(`${folder}/${name}`, DEFAULTS);
    };
    const promptsOf = ({ items }: Awaited<ReturnType<typeof readBatch>>) =>
      items.map(({ request }) => request.prompt);
    const array = await read("a.json", '[\n  {"prompt": "a"},\n  "b",\n  {"prompt": 3}\n]\n');
    assert.deepEqual(promptsOf(array), ["a", "b"]);
    assert.deepEqual(array.items.map(({ place, name }) => [place, name]), [
      [`${folder}/a.json #1`, "0001.png"],
      [`${folder}/a.json #2`, "0002.png"],
    ]);
    assert.deepEqual(array.faults.map(({ place }) => place), [`${folder}/a.json #3`]);
    assert.deepEqual(promptsOf(await read("b.json", '{\n  "prompt": "a"\n}')), ["a"]);
    const around = [
      '{"prompts": ["a", {"prompt": "b"}]}',
      '{"items": [{"prompt": "a"}, {"prompt": "b"}]}',
    ];
    for (const text of around) assert.deepEqual(promptsOf(await read("f.json", text)), ["a", "b"]);
    const lines = await read("g.jsonl", '{"prompt": "a"},\r\n"b" , \r\n');
    assert.deepEqual([promptsOf(lines), lines.faults], [["a", "b"], []]);
    assert.deepEqual(promptsOf(await read("c.txt", '1girl, solo\n\n(smile:1.2)\r\n"c"')), [
      "1girl, solo",
      "(smile:1.2)",
      "c",
    ]);
    await assert.rejects(
      read("d.json", '[\n{"prompt": "a"},\n]'),
      (error: RequestError) =>
        error instanceof RequestError && /array.*JSON Lines/s.test(error.message) &&
        /数组/.test(error.explain("zh")),
    );
    await assert.rejects(read("e.json", "[]"), /asks for no picture/);
    const others = {
      "table.csv": 'prompt,seed\n"1girl, smile",1\n"1boy",2\n',
      "list.yaml": "- prompt: 1girl\n- prompt: 1boy\n",
      "pretty.jsonl": '{\n "prompt": "a"\n}\n{\n "prompt": "b"\n}\n',
      "python.jsonl": "\n{'prompt': 'a'}\n",
    };
    for (const [name, text] of Object.entries(others)) {
      await assert.rejects(
        read(name, text),
        (error: RequestError) =>
          error instanceof RequestError &&
          /no line of it is JSON; line [12] .*\.txt/.test(error.message) &&
          /没有一行是 JSON/.test(error.explain("zh")),
        name,
      );
    }
    const xml = "1girl\n<character_1>\n<n>a</n>\n</character_1>\n\n<n>b</n>\n";
    await assert.rejects(
      read("h.txt", xml),
      (error: RequestError) =>
        error instanceof RequestError && /in line 2 an XML prompt begins/.test(error.message) &&
        /第 2 行/.test(error.explain("zh")),
    );
    const inLines = "<character_1><n>a</n></character_1>\n<o>_<o>\n";
    assert.equal((await read("i.txt", inLines)).items.length, 2);
  });
});

Deno.test("lines of a batch may be prompts as the community's programs write them", async () => {
  await inTempFolder(async (folder) => {
    const wrapped = { image: { tags: "1girl, pier", caption: "A girl." }, seed_of: 1 };
    const trained = { image_path: "a.png", super_high_quality_caption: "<n>rin</n>" };
    const lines = [wrapped, trained, { prompt: "2girls", seed: 7 }].map((line) =>
      JSON.stringify(line)
    );
    const plain = ["[cat|dog], 1girl", "{red|blue}_hair", '"pier" at night', "{ <n>rin</n> }", "2"];
    await Deno.writeTextFile(`${folder}/a.jsonl`, lines.join("\n"));
    await Deno.writeTextFile(`${folder}/b.json`, JSON.stringify([wrapped, trained], null, 2));
    await Deno.writeTextFile(`${folder}/c.txt`, [...plain, lines[0]].join("\r\n"));
    await Deno.writeTextFile(`${folder}/d.json`, JSON.stringify(wrapped, null, 2));
    const read = async (name: string) => {
      const { items, faults } = await readBatch(`${folder}/${name}`, {});
      assert.deepEqual(faults, [], name);
      return items.map(({ request }) => request.prompt);
    };
    assert.deepEqual(await read("a.jsonl"), [lines[0], lines[1], "2girls"]);
    assert.deepEqual(await read("b.json"), lines.slice(0, 2));
    assert.deepEqual(await read("c.txt"), [...plain, lines[0]]);
    assert.deepEqual(await read("d.json"), [lines[0]]);
  });
});

Deno.test("hidden companions of files are no prompts", async () => {
  await inTempFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a.xml`, "<a>1</a>");
    // What macOS writes beside a file on disks that are not its own.
    await Deno.writeFile(`${folder}/._a.xml`, Uint8Array.of(0, 5, 0x16, 7, 0, 2, 0, 0));
    await Deno.writeTextFile(`${folder}/.a.xml.swp.xml`, "<a>1</a>");
    const { items, faults } = await readBatch(folder, DEFAULTS);
    assert.deepEqual(items.map(({ name }) => name), ["a.png"]);
    assert.deepEqual(faults, []);
  });
});

Deno.test("a batch reads no file outside of its folder, by whatever way", async () => {
  await inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/batch/deep`, { recursive: true });
    await Deno.writeTextFile(`${folder}/secret`, "secret");
    await Deno.writeTextFile(`${folder}/batch/deep/a.xml`, "<a>1</a>");
    await Deno.symlink(`${folder}/secret`, `${folder}/batch/link.xml`);
    await Deno.symlink(`${folder}/batch/deep`, `${folder}/batch/inside`);
    const ways = ["../secret", `${folder}/secret`, "link.xml", "deep/../../secret", "a\0b"];
    const lines = [...ways, "deep/a.xml", "inside/a.xml"]
      .map((path) => JSON.stringify({ prompt_file: path }));
    await Deno.writeTextFile(`${folder}/batch/p.jsonl`, lines.join("\n"));
    const { items, faults } = await readBatch(`${folder}/batch/p.jsonl`, DEFAULTS);
    assert.deepEqual(items.map(({ request }) => request.prompt), ["<a>1</a>", "<a>1</a>"]);
    assert.equal(faults.length, ways.length);
    for (const { error } of faults) assert(!error.message.includes(": secret"), error.message);
    for (const { error } of faults.slice(0, 4)) assert.match(error.message, /outside/);

    const { faults: linked } = await readBatch(`${folder}/batch`, DEFAULTS);
    assert.match(linked[0]!.error.message, /outside/);
  });
});

Deno.test("a line may say how many pictures it wants, and -1 for its seed", async () => {
  await inTempFolder(async (folder) => {
    const lines = ['{"prompt": "a", "count": 2, "seed": 5}', '{"prompt": "b", "seed": -1}', '"c"'];
    const { items } = await batchOf(folder, lines, { ...DEFAULTS, generator: { seed: 9 } }, 1);
    assert.deepEqual(items.map(({ request }) => request.prompt), ["a", "a", "b", "c"]);
    const [five, six, random, nine] = items.map(({ request }) => request.generator.seed);
    assert.deepEqual([five, six, nine], [5, 6, 9]);
    assert(random! >= 0 && random !== 9);
    const again = await batchOf(folder, lines, { ...DEFAULTS, generator: { seed: 9 } }, 1);
    assert.deepEqual(again.items, items);
  });
});

Deno.test("lines that ask for nothing are faults with their places; the others stay", async () => {
  await inTempFolder(async (folder) => {
    const { items, faults } = await batchOf(folder, [
      '{"prompt": "a"}',
      "{",
      '{"prompt": "c", "x": 1}',
    ]);
    assert.equal(items.length, 1);
    assert.deepEqual(faults.map(({ place }) => place), [
      `${folder}/prompts.jsonl:2`,
      `${folder}/prompts.jsonl:3`,
    ]);
    await assert.rejects(readBatch(`${folder}/missing.jsonl`, DEFAULTS), RequestError);
    await assert.rejects(batchOf(folder, ["", " "]), RequestError);
  });
});

Deno.test("an id is the request's, wherever the line stands and whatever the file is called", async () => {
  await inTempFolder(async (folder) => {
    const [a, b] = ['{"prompt": "a", "steps": 3}', '{"steps": 4, "prompt": "b", "output": "x"}'];
    const first = idsOf(await batchOf(folder, [a!, b!]));
    const [idA, idB] = first;
    assert.notEqual(idA, idB);
    assert.deepEqual(idsOf(await batchOf(folder, ["", b!, a!])), [idB, idA]);
    assert.deepEqual(idsOf(await batchOf(folder, ['{"prompt": "b", "steps": 4}'])), [idB]);
    assert.notEqual(idsOf(await batchOf(folder, ['{"prompt": "a", "steps": 5}']))[0], idA);
    // What a line leaves out is part of what it asks for.
    assert.notDeepEqual(
      idsOf(await batchOf(folder, ['{"prompt": "a"}'])),
      idsOf(await batchOf(folder, ['{"prompt": "a"}'], { ...DEFAULTS, numInferenceSteps: 9 })),
    );
  });
});

Deno.test("equal lines are pictures of their own, with seeds of their own that stay", async () => {
  await inTempFolder(async (folder) => {
    const { items } = await batchOf(folder, ['{"prompt": "a"}', '{"prompt": "a"}'], DEFAULTS, 2);
    assert.equal(new Set(items.map(({ id }) => id)).size, 4);
    assert.equal(new Set(items.map(({ request }) => request.generator.seed)).size, 4);
    const again = await batchOf(folder, ['{"prompt": "a"}', '{"prompt": "a"}'], DEFAULTS, 2);
    assert.deepEqual(again.items, items);
  });
});

Deno.test("several pictures of a seeded line have seeds in a row", async () => {
  await inTempFolder(async (folder) => {
    const { items } = await batchOf(folder, ['{"prompt": "a", "seed": 5}'], DEFAULTS, 3);
    assert.deepEqual(items.map(({ request }) => request.generator.seed), [5, 6, 7]);
  });
});

Deno.test("shards share every batch out without a rest, evenly", async () => {
  await inTempFolder(async (folder) => {
    const lines = Array.from({ length: 400 }, (_, index) => `{"prompt": "p${index}"}`);
    const { items } = await batchOf(folder, lines);
    const parts = ["0/4", "1/4", "2/4", "3/4"].map(parseShard).map((shard) =>
      items.filter((item) => isInShard(item, shard))
    );
    assert.deepEqual(parts.flat().map(({ id }) => id).sort(), items.map(({ id }) => id).sort());
    assert.deepEqual(parts.map(({ length }) => length), [100, 100, 100, 100]);
    const moved = await batchOf(folder, lines.toReversed());
    const first = moved.items.filter((item) => isInShard(item, parseShard("0/4")));
    assert.deepEqual(first.map(({ id }) => id).sort(), parts[0]!.map(({ id }) => id).sort());
  });
});

Deno.test("shards count from 0 or from 1", () => {
  assert.deepEqual(parseShard("0/3"), { index: 0, total: 3 });
  assert.deepEqual(parseShard("3/3"), { index: 0, total: 3 });
  assert.deepEqual(parseShard("2/3"), { index: 2, total: 3 });
  for (const wrong of ["4/3", "1/0", "1", "a/b", "-1/3", "1/3/5"]) {
    assert.throws(() => parseShard(wrong), RequestError, wrong);
  }
});

Deno.test("a folder's finished requests are known by their pictures alone", async () => {
  await inTempFolder(async (folder) => {
    assert.deepEqual(await finishedItems(`${folder}/none`), new Set());
    await Deno.mkdir(`${folder}/o/deep`, { recursive: true });
    await Deno.writeFile(`${folder}/o/a.png`, encodePng(dot, { text: { [BATCH_KEYWORD]: "one" } }));
    await Deno.writeFile(
      `${folder}/o/deep/b.PNG`,
      encodePng(dot, { text: { [BATCH_KEYWORD]: "two" } }),
    );
    await Deno.writeFile(`${folder}/o/c.png`, encodePng(dot));
    await Deno.writeFile(`${folder}/o/broken.png`, new Uint8Array([1, 2, 3]));
    if (Deno.build.os !== "windows") {
      await Deno.writeFile(`${folder}/o/theirs.png`, new Uint8Array(1), { mode: 0o000 });
      const mayRead = await Deno.readFile(`${folder}/o/theirs.png`).then(() => true, () => false);
      // Root may read everything.
      if (!mayRead) {
        await assert.rejects(finishedItems(`${folder}/o`), /theirs\.png cannot be read/);
      }
      await Deno.remove(`${folder}/o/theirs.png`);
    }
    // One is being saved.
    await using three = await UnfinishedFile.create(`${folder}/o/three.png`);
    assert.deepEqual(await finishedItems(`${folder}/o`), new Set(["one", "two"]));
    if (Deno.build.os !== "windows") {
      // Others may write here, too.
      await new Deno.Command("mkfifo", { args: [`${folder}/o/pipe.png`] }).output();
      assert.deepEqual(await finishedItems(`${folder}/o`), new Set(["one", "two"]));
      await Deno.remove(`${folder}/o/pipe.png`);
    }
    assert.deepEqual(filesBelow(`${folder}/o`), [
      three.path,
      `${folder}/o/a.png`,
      `${folder}/o/broken.png`,
      `${folder}/o/c.png`,
      `${folder}/o/deep/b.PNG`,
    ]);
  });
});
