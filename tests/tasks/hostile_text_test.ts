/**
 * Every task that reads what others wrote is given names and texts that would steer a terminal. What
 * it prints is looked at byte by byte, in both languages and as JSON.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { encodePng } from "../../src/image/mod.ts";
import { inTempFolder } from "../_folders.ts";
import { layer, legacyArchive } from "../container/_images.ts";
import { fileBytes } from "../safetensors/_writer.ts";
import { clone } from "./_clone.ts";
import { runTask } from "./_task_command.ts";

/** Ends in a line of its own that pretends to be the task's. */
const FAKE = "error: FAKE";
const TEXT = `é\x1b[31m\x1b]0;t\x07\x9b2J\x7f\b\u202e\u2066\u200f\u200b\ufeff\u2028\r\n${FAKE}`;
const KEY = JSON.stringify(TEXT).slice(1, -1);

/** Controls, marks of direction, and what has no width or breaks lines. */
// deno-lint-ignore no-control-regex
const STEERS = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;

function assertTame(what: string, { out, err }: { out: string; err: string }): void {
  const printed = out + err;
  const place = STEERS.exec(printed);
  const around = printed.slice(Math.max(0, (place?.index ?? 0) - 60), (place?.index ?? 0) + 60);
  assert.equal(place, null, `${what}: ${JSON.stringify(around)}`);
  assert(!printed.split("\n").some((line) => line.startsWith(FAKE)), `${what}: ${printed}`);
}

type Task = Parameters<typeof runTask>[0];

/** Runs a task in both languages, the second time for a program. */
async function assertTaskTame(
  task: Task,
  args: readonly string[],
  { mention = true, stdin }: { mention?: boolean; stdin?: string } = {},
): Promise<void> {
  const input = stdin === undefined ? {} : { stdin };
  const english = await runTask(task, args, input);
  const chinese = await runTask(task, [...args, "--json", "--lang", "zh"], input);
  const what = `${task} ${args.map((arg) => JSON.stringify(arg)).join(" ")}`;
  for (const result of [english, chinese]) assertTame(what, result);
  // Else the text that was to be shown was not reached, and nothing was tried.
  if (mention) assert.match(english.out + english.err, /FAKE/, `${what}: ${english.err}`);
  JSON.parse(chinese.out);
}

const PICTURE = { data: new Uint8ClampedArray(3 * 16 * 16), width: 16, height: 16 };

Deno.test("no text of a picture steers the terminal through create", async () => {
  await inTempFolder(async (folder) => {
    const path = join(folder, `${TEXT}.png`);
    const texts: Readonly<Record<string, Record<string, string>>> = {
      "a key of the recipe": { newbie: `{"version": 1, "${KEY}": 1}` },
      "a value of the recipe": { newbie: `{"version": 1, "dtype": ["${KEY}"], "prompt": 1}` },
      "what is no JSON": { newbie: `{"version": ${TEXT}}` },
      "another program's settings": {
        parameters: `a\nSteps: 20${
          TEXT.replaceAll(/[\r\n]/g, "")
        }, Sampler: E, CFG scale: 7, Seed: 1`,
      },
    };
    for (const text of Object.values(texts)) {
      await Deno.writeFile(path, encodePng(PICTURE, { text }));
      await assertTaskTame("create", ["--from", path]);
    }
  });
});

Deno.test("no line of a batch and no name in its folder steers the terminal", async () => {
  await inTempFolder(async (folder) => {
    const lines = [
      `{"prompt": "x", "${KEY}": 1}`,
      `{"prompt_file": "no${KEY}"}`,
      `{"prompt": "x", "scheduler": "${KEY}"}`,
      `{"prompt": "x", "seed": "${KEY}"}`,
      `{"prompt": "x", "output": "${KEY}"}`,
      `{"prompt": "<character_1><n>${KEY}</m></character_1>"}`,
      `{"prompt": ${TEXT.replaceAll(/[\r\n]/g, "")}}`,
    ];
    const path = join(folder, `${TEXT}.jsonl`);
    await Deno.writeTextFile(path, lines.join("\n"));
    const output = `hostile-${crypto.randomUUID()}`;
    try {
      await assertTaskTame("create", ["--batch", path, "--output", output]);
      await Deno.mkdir(join(folder, "prompts"));
      await Deno.writeTextFile(join(folder, "prompts", `${TEXT}.xml`), "<a><n>a</a>");
      await assertTaskTame("create", ["--batch", join(folder, "prompts"), "--output", output]);
    } finally {
      await Deno.remove(join("outputs", output), { recursive: true }).catch(() => {});
    }
  });
});

Deno.test("no name that is asked for steers the terminal", async () => {
  for (const option of ["--prompt-file", "--from", "--batch"]) {
    await assertTaskTame("create", [option, TEXT]);
  }
  await assertTaskTame("create", ["--prompt", "x", "--model", TEXT]);
  await assertTaskTame("create", ["--prompt", "x", "--output", TEXT]);
  await assertTaskTame("create", ["--prompt", "x", "--seed", TEXT]);
  await assertTaskTame("doctor", ["--model", TEXT]);
  await assertTaskTame("quantize", [TEXT, "--bits", "4"]);
  await assertTaskTame("merge", ["--lora", TEXT, "--out", join("outputs", crypto.randomUUID())]);
  await assertTaskTame("graph", ["vae", "--model", TEXT]);
  await assertTaskTame("compare", [TEXT, TEXT]);
  await assertTaskTame("load", [TEXT, "--verify"]);
});

Deno.test("no text of a model steers the terminal", async () => {
  await inTempFolder(async (folder) => {
    const model = join(folder, `model ${TEXT}`);
    const transformer = join(model, "transformer");
    for (const part of ["transformer", "text_encoder", "clip_model", "vae"]) {
      await Deno.mkdir(join(model, part), { recursive: true });
    }
    const tensor = { dtype: "F32", shape: [1], data_offsets: [0, 4] };
    const headers = [
      `{"${KEY}": {"dtype": "${KEY}", "shape": [1], "data_offsets": [0, 4]}}`,
      `{"${KEY}": ${JSON.stringify(tensor)}}`,
      `{"__metadata__": {"${KEY}": "a", "${KEY}": "b"}, "a": ${JSON.stringify(tensor)}}`,
      `{"a": ${TEXT}}`,
    ];
    for (const header of headers) {
      for (const part of ["transformer", "text_encoder", "clip_model", "vae"]) {
        const bytes = fileBytes(header, new Uint8Array(4));
        await Deno.writeFile(join(model, part, "model.safetensors"), bytes);
      }
      await assertTaskTame("doctor", ["--model", model], { mention: false });
      await assertTaskTame("graph", ["vae", "--model", model]);
    }
    const demo = "models/demo";
    const weights = `${demo}/next-dit/model.safetensors`;
    await Deno.copyFile(weights, join(transformer, "model.safetensors"));
    for (const config of [`{"_class_name": "CNN${KEY}"}`, `{"dim": "${KEY}", "${KEY}": 1}`, TEXT]) {
      await Deno.writeTextFile(join(transformer, "config.json"), config);
      await assertTaskTame("graph", ["transformer", "--model", model]);
    }
    await Deno.copyFile(`${demo}/vae/model.safetensors`, join(model, "vae/model.safetensors"));
    await Deno.writeTextFile(join(model, "vae/config.json"), `{"_class_name": "${KEY}"}`);
    await assertTaskTame("graph", ["vae", "--model", model]);
    await Deno.writeTextFile(
      join(transformer, "model.safetensors.index.json"),
      `{"weight_map": {"${KEY}": "../${KEY}"}}`,
    );
    await Deno.remove(join(transformer, "model.safetensors"));
    await assertTaskTame("graph", ["transformer", "--model", model]);
    await assertTaskTame("create", ["--prompt", "x", "--model", model]);
  });
});

Deno.test("no text of a tokenizer steers the terminal", async () => {
  await inTempFolder(async (folder) => {
    const model = join(folder, "models/demo");
    await new Deno.Command("cp", { args: ["-r", "models", folder] }).output();
    const tokenizer = join(model, "transformer/tokenizer.json");
    const original = JSON.parse(await Deno.readTextFile(tokenizer));
    const hostile = [
      `{"model": {"type": "${KEY}"}}`,
      JSON.stringify({ ...original, normalizer: { type: TEXT } }),
      JSON.stringify({ ...original, pre_tokenizer: { type: TEXT } }),
      TEXT,
    ];
    for (const text of hostile) {
      await Deno.writeTextFile(tokenizer, text);
      await assertTaskTame("parse", ["1girl", "--model", folder], { mention: false });
    }
  });
});

Deno.test("no prompt steers the terminal through parse", async () => {
  const prompts = [
    TEXT,
    `<character_1><n>${TEXT}</n></character_1>`,
    `<character_1><${TEXT}>a</n></character_1>`,
    `<character_1><n a="${TEXT}">a</m></character_1>`,
    `<general_tags>${TEXT}</general_tags>`,
  ];
  for (const prompt of prompts) {
    const result = await runTask("parse", ["-"], { stdin: prompt });
    const chinese = await runTask("parse", ["-", "--lang", "zh", "--json"], { stdin: prompt });
    for (const one of [result, chinese]) {
      const place = STEERS.exec(one.out + one.err);
      assert.equal(place, null, `${JSON.stringify(prompt)}: ${one.out + one.err}`);
    }
    JSON.parse(chinese.out);
  }
  await inTempFolder(async (folder) => {
    const file = join(folder, `${TEXT}.xml`);
    await Deno.writeTextFile(file, "<character_1><n>a</m></character_1>");
    await assertTaskTame("parse", ["--file", file]);
  });
});

Deno.test("no name in an archive steers the terminal", async () => {
  await inTempFolder(async (folder) => {
    const path = join(folder, `${TEXT}.tar`);
    const digest = (text: string) => createHash("sha256").update(text).digest("hex");
    const hostile = { path: `models/${TEXT}`, bytes: 1, sha256: digest("a") };
    const description = {
      format: "newbie-bundle",
      version: 1,
      name: TEXT,
      image: {
        reference: `newbie:${TEXT}`,
        digest: `sha256:${digest("b")}`,
        configDigest: `sha256:${digest("c")}`,
        platform: TEXT,
      },
      files: [{ path: "image.tar", bytes: 1, sha256: digest("x") }, hostile],
    };
    await Deno.writeFile(
      path,
      await layer([
        ["bundle.json", JSON.stringify(description)],
        ["image.tar", "x"],
        [hostile.path, "a"],
      ]),
    );
    await assertTaskTame("load", [path, "--verify"]);
    const image = async (name: string, content: string) => {
      const layers = [await layer([[`a${TEXT}`, content]])];
      const file = join(folder, name);
      await Deno.writeFile(file, await legacyArchive({ layers, config: { User: content } }));
      return file;
    };
    await assertTaskTame("compare", [await image("one.tar", TEXT), await image("two.tar", "b")]);
  });
});

Deno.test("no list of checksums and no name in models/ steers the terminal", async () => {
  await using it = await clone(["models", "checksums.txt", "Dockerfile"]);
  await Deno.mkdir(it.at(`models/${TEXT}`));
  await Deno.writeTextFile(it.at(`models/${TEXT}/model.safetensors`), "x");
  await it.change("checksums.txt", (bytes) => {
    const line = `${"0".repeat(64)}  models/${TEXT.replaceAll(/[\r\n]/g, "")}\n`;
    return new Uint8Array([...bytes, ...new TextEncoder().encode(line)]);
  });
  for (const task of ["verify", "checksums"]) {
    for (const more of [[], ["--json", "--lang", "zh"]]) {
      const result = await it.task(task, ...more);
      assertTame(task, result);
      if (more.length === 0) assert.match(result.out + result.err, /FAKE/);
    }
  }
});
