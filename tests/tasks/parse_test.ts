/**
 * `deno task parse` with the permissions that deno.json gives it. Expected texts are written by hand;
 * the system prompt is that of finetune.py of NewBieAI-Lab/NewBie-image-Exp0.1, and the numbers of
 * tokens are those of the demo model's own tokenizers.
 */
import assert from "node:assert/strict";
import configuration from "../../deno.json" with { type: "json" };
import { loadTokenizer } from "../../src/tokenizer/mod.ts";
import { ROOT, runTask } from "./_task_command.ts";

const PROMPT = "<character_1><n>miku</n><appearance>blue_hair,>_<</appearance></character_1>";
const CANONICAL = `<character_1>
<n>miku</n>
<appearance>blue_hair, >_<</appearance>
</character_1>`;
const SYSTEM_PROMPT =
  "You are an assistant designed to generate high-quality anime images based on " +
  "xml format prompts. <Prompt Start> ";

const parse = (args: readonly string[], options?: Parameters<typeof runTask>[2]) =>
  runTask("parse", args, options);

Deno.test("the task may read files and nothing more", () => {
  const flags = configuration.tasks.parse.command.split(/\s+/).filter((part) =>
    part.startsWith("--allow") && !part.startsWith("--allow-env=")
  );
  assert.deepEqual(flags, ["--allow-read"]);
  assert(configuration.tasks.parse.command.includes("--deny-net"));
});

Deno.test("a prompt's tree, text, conditioning and length are shown", async () => {
  const { code, out, err } = await parse([PROMPT]);
  assert.equal(code, 0, err);
  assert.match(out, /character_1\n {2}├─ n miku\n {2}└─ appearance blue_hair,>_<\n/);
  assert(out.includes(CANONICAL.replaceAll(/^/gm, "  ")));
  assert(out.includes(SYSTEM_PROMPT));
  assert.match(out, /negative prompt is empty and stays empty/);
  assert.match(out, /Gemma 3: \d+ of 512\n.*Jina CLIP: \d+ of 2048/);
  assert(!out.includes("\x1b"), "no colours in a pipe");
  assert.match(err, /0 errors, 0 warnings/);
});

Deno.test("--json gives all of it as one object", async () => {
  const { code, out } = await parse([PROMPT, "--json", "--negative-prompt", "<style>3d</style>"]);
  assert.equal(code, 0);
  const result = JSON.parse(out);
  assert.equal(result.kind, "xml");
  assert.deepEqual(result.tree, {
    character_1: { n: "miku", appearance: ["blue_hair", ">_<"] },
  });
  assert.equal(result.canonical, CANONICAL);
  assert.deepEqual(result.conditioning, {
    positive: {
      systemPrompt: SYSTEM_PROMPT,
      systemPromptFrom: "model",
      gemma: SYSTEM_PROMPT + CANONICAL,
      clip: CANONICAL,
    },
    negative: {
      systemPrompt: SYSTEM_PROMPT,
      systemPromptFrom: "model",
      gemma: `${SYSTEM_PROMPT}<style>3d</style>`,
      clip: "<style>3d</style>",
    },
  });
  const gemma = await loadTokenizer("models/demo/transformer");
  const clip = await loadTokenizer("models/demo/clip_model");
  assert.deepEqual(result.tokens.positive, [
    {
      encoder: "Gemma 3",
      count: gemma.encode(SYSTEM_PROMPT + CANONICAL).length,
      maxTokens: 512,
    },
    { encoder: "Jina CLIP", count: clip.encode(CANONICAL).length, maxTokens: 2048 },
  ]);
  assert.deepEqual(result.diagnostics, []);
});

Deno.test("an argument, @file, --file and standard input are the same", async () => {
  const path = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    await Deno.writeTextFile(path, `\ufeff${PROMPT}\r\n`);
    const results = await Promise.all([
      parse([PROMPT, "--json"]),
      parse([`@${path}`, "--json"]),
      parse(["--file", path, "--json"]),
      parse(["--json"], { stdin: PROMPT }),
      parse(["-", "--json"], { stdin: `${PROMPT}\n` }),
    ]);
    for (const { code, out } of results) {
      assert.equal(code, 0);
      assert.equal(JSON.parse(out).canonical, CANONICAL);
    }
    const utf16 = new Uint8Array([
      0xff,
      0xfe,
      ...new Uint8Array(
        Uint16Array.from(
          PROMPT,
          (character) => character.charCodeAt(0),
        ).buffer,
      ),
    ]);
    await Deno.writeFile(path, utf16);
    assert.equal(JSON.parse((await parse([`@${path}`, "--json"])).out).canonical, CANONICAL);
    await Deno.writeFile(path, new Uint8Array([0x3c, 0xff, 0xff]));
    const { code, err } = await parse([`@${path}`]);
    assert.equal(code, 2);
    assert.match(err, /UTF-8/);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("warnings exit with 0, errors with 2, both with a caret under the place", async () => {
  const warned = await parse(["<character_1><apearance>x</apearance></character_1>"]);
  assert.equal(warned.code, 0);
  assert.match(warned.err, /prompt:1:14: warning: .*\n.*\n {2}\| {14}\^{11}\n.*<appearance>/);
  const wrong = await parse(["<character_1><n>miku</character_1>"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /prompt:1:21: error: .*<n>.*\n.*\n {2}\| {21}\^{14}\n.*<\/n>/);
  const json = await parse(["<character_1><n>miku</character_1>", "--json"]);
  assert.equal(json.code, 2);
  const { error, canonical, diagnostics } = JSON.parse(json.out);
  assert.match(error.message, /1 error/);
  assert.equal(canonical, null);
  const [{ code, severity, line, column, offset, length }] = diagnostics;
  assert.deepEqual([code, severity, line, column, offset, length], [
    "unclosed-inside",
    "error",
    1,
    21,
    20,
    14,
  ]);
});

Deno.test("text that is not XML is said to be plain text, and stays as it is", async () => {
  const { code, out } = await parse(["1girl,  >_<"]);
  assert.equal(code, 0);
  assert.match(out, /plain text/);
  assert.match(out, /\n {2}1girl, {2}>_<\n/);
  assert.match(out, /based on textual prompts/);
});

Deno.test("words that Gemma does not read are told", async () => {
  const tags = Array.from({ length: 400 }, (_, index) => `blue_hair_${index}`).join(", ");
  const { code, err } = await parse([`<general_tags><other>${tags}</other></general_tags>`]);
  assert.equal(code, 0);
  assert.match(err, /Gemma 3 reads 512 of \d+ tokens; these words fall off: blue_hair_\d+, /);
});

Deno.test("without a model tokens are not counted, and that is said", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, out, err } = await parse([PROMPT, "--model", folder, "--json"]);
    assert.equal(code, 0);
    assert.equal(JSON.parse(out).tokens, null);
    assert.match(err, /Tokens are not counted.*No model was found/);
    const chinese = await parse([PROMPT, "--model", folder, "--lang", "zh"]);
    assert.match(chinese.err, /没有统计 token 数，.*里没有找到模型/);
  } finally {
    await Deno.remove(folder);
  }
});

Deno.test("a file that is not there, and two prompts, are wrong requests", async () => {
  const missing = await parse(["@no-such-file.xml", "--json"]);
  assert.equal(missing.code, 2);
  assert.match(JSON.parse(missing.out).error.message, /no-such-file\.xml cannot be read/);
  assert.equal((await parse(["blue", "hair"])).code, 2);
});

Deno.test("faces that begin with @ are no files", async () => {
  for (const text of ["@_@", "@_@, 1girl"]) {
    const { code, out } = await parse([text, "--json"]);
    assert.equal(code, 0);
    assert.equal(JSON.parse(out).canonical, text);
  }
});

Deno.test("the task speaks Chinese, and helps in both languages", async () => {
  const { code, err } = await parse(["<n>x", "--lang", "zh"]);
  assert.equal(code, 2);
  assert.match(err, /提示词:1:1: 错误：<n> 没有闭合。/);
  const help = await parse(["--help"], { env: { LC_ALL: "zh_CN.UTF-8" } });
  assert.equal(help.code, 0);
  assert.match(help.out, /示例：/);
  assert.match((await parse(["--help"])).out, /Examples:/);
});

Deno.test("--to-xml prints a prompt that parse itself understands, and asks what is open beside it", async () => {
  const { code, out, err } = await parse(["--to-xml", "2girls, red_hair, blue_hair, x_y"]);
  assert.equal(code, 0, err);
  assert.match(err, /Not sure of x_y/);
  assert.match(err, /which of the 2 characters .*--assign "red_hair=1".*red_hair, blue_hair/);
  const again = await parse(["-", "--json"], { stdin: out });
  assert.deepEqual(JSON.parse(again.out).diagnostics, []);
  assert.equal(JSON.parse(again.out).kind, "xml");

  const answered = await parse([
    "--to-xml",
    "2girls, red_hair, blue_hair",
    "--assign",
    "red_hair=2,blue_hair=1",
    "--json",
  ]);
  const { xml, questions } = JSON.parse(answered.out);
  assert.match(xml, /<appearance>blue_hair<[^]*<appearance>red_hair</);
  assert.deepEqual(questions, []);
});

Deno.test("--to-xml takes a system prompt off and keeps adapters", async () => {
  const { code, out, err } = await parse([
    "--to-xml",
    "You are an assistant. <Prompt Start> 1girl, <lora:night:0.5>, blue_hair",
  ]);
  assert.equal(code, 0, err);
  assert.equal(
    out,
    "<character_1>\n<gender>1girl</gender>\n<appearance>blue_hair</appearance>\n</character_1>\n\n" +
      "<general_tags>\n<count>1girl</count>\n</general_tags>\n<lora:night:0.5>\n",
  );
  const pasted =
    "1girl, blue_hair\nNegative prompt: bad, worse\nSteps: 20, Sampler: Euler, Seed: 1";
  const copied = await parse(["--to-xml", pasted]);
  assert.match(copied.out, /<appearance>blue_hair<\/appearance>/);
  assert.doesNotMatch(copied.out, /Negative|bad|Steps/);
  assert.match(copied.err, /left out\. For --negative-prompt: bad, worse\n/);
  const empty = await parse(["--to-xml", " , "]);
  assert.equal(empty.code, 2);
  assert.match(empty.err, /no tags to sort/);
});

Deno.test("--to-xml refuses what is XML already, and answers that name no one", async () => {
  const xml = await parse(["--to-xml", PROMPT]);
  assert.equal(xml.code, 2);
  assert.match(xml.err, /is XML already/);
  const wrong = await parse(["--to-xml", "1girl", "--assign", "1girl", "--lang", "zh"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /应为 标签=数字/);
  for (const [answer, tag] of [["red_hair=3", "red_hair"], ["green_hair=1", "green_hair"]]) {
    const unused = await parse(["--to-xml", "1girl, red_hair", "--assign", answer!]);
    assert.deepEqual([unused.code, unused.out], [2, ""]);
    assert.match(unused.err, new RegExp(`${tag} is no tag .*there is 1 character`));
  }
});

Deno.test("lists in tags/ tell aliases and misspellings", async () => {
  const folder = new URL("tags/", ROOT);
  const list = new URL("of_this_test.csv", folder);
  await Deno.mkdir(folder, { recursive: true });
  try {
    await Deno.writeTextFile(list, '1girl,0,9,\nblue_hair,0,8,"blå_hår"\n');
    const { out, err } = await parse(["--to-xml", "1girl, blå hår, bleu_hair"]);
    assert.match(out, /<appearance>blue_hair, bleu_hair</);
    assert.match(err, /blå hår is an alias of blue_hair/);
    assert.match(err, /bleu_hair\. Did you mean blue_hair\?/);
  } finally {
    await Deno.remove(list);
    await Deno.remove(folder).catch(() => {});
  }
});
