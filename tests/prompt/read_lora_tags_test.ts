/** Adapters in prompts: what AUTOMATIC1111's `<lora:name:weight>` says, and what is left without it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readLoraTags } from "../../src/prompt/mod.ts";

const CASES: readonly (readonly [prompt: string, text: string, loras: readonly string[]])[] = [
  ["1girl, smile", "1girl, smile", []],
  ["1girl, <lora:night:0.8>, smile", "1girl, smile", ["night 0.8"]],
  ["1girl, <lora:night>", "1girl", ["night 1"]],
  ["<lora:night:-0.5>, 1girl", "1girl", ["night -0.5"]],
  ["1girl <lora:night:.5> smile", "1girl smile", ["night 0.5"]],
  ["1girl\n<lora:night:1>\nsmile", "1girl\nsmile", ["night 1"]],
  ["1girl, <lora:a:1> <lora:b:2>, x", "1girl, x", ["a 1", "b 2"]],
  ["1girl, <lora:a:1>, <lora:b:2>", "1girl", ["a 1", "b 2"]],
  // The text encoders' weight stands in front, as in the web UI.
  ["<lora:a:0.6:0.8>1girl", "1girl", ["a 0.8 text 0.6"]],
  ["<lora:a:te=0.6:unet=0.8>1girl", "1girl", ["a 0.8 text 0.6"]],
  ["<lora:a:unet=0.8:te=0.6>1girl", "1girl", ["a 0.8 text 0.6"]],
  ["<lora:a:unet=0.5>1girl", "1girl", ["a 0.5 text 1"]],
  ["<lora:a:te=0.5>1girl", "1girl", ["a 0.5"]],
  ["<lora:a:0.3:unet=0.5>1girl", "1girl", ["a 0.5 text 0.3"]],
  ["<lora:a:1:0.6:0.8>1girl", "1girl", ["a:1 0.8 text 0.6"]],
  ["<lora:C:\\x\\y.safetensors:0.8>", "", ["C:\\x\\y.safetensors 0.8"]],
  ["<lora:a:b:0.5>, 1girl", "1girl", ["a:b 0.5"]],
  ["<lyco:a:0.5>, <LoRA:b>, 1girl", "1girl", ["a 0.5", "b 1"]],
  ["＜lora：夜：0.8＞, 1girl", "1girl", ["夜 0.8"]],
  ["<lora:a:0.3> 1girl <lora:a:0.3>", "1girl", ["a 0.6"]],
  ["<!-- <lora:a:1> --> 1girl", "<!-- <lora:a:1> --> 1girl", []],
  ["<hypernet:a:1> 1girl", "<hypernet:a:1> 1girl", []],
  [
    "<character_1><n>miku</n><appearance>blue_hair, <lora:a>, twintails</appearance></character_1>",
    "<character_1><n>miku</n><appearance>blue_hair, twintails</appearance></character_1>",
    ["a 1"],
  ],
  [
    "<general_tags>\n<style>anime_style, <lora:a:0.5></style>\n</general_tags>\n<lora:b:1>",
    "<general_tags>\n<style>anime_style</style>\n</general_tags>\n",
    ["a 0.5", "b 1"],
  ],
];

for (const [prompt, expected, loras] of CASES) {
  Deno.test(`adapters are taken out of ${JSON.stringify(prompt)}`, () => {
    const read = readLoraTags(prompt);
    assert.equal(read.text, expected);
    assert.equal(read.blanked.length, prompt.length);
    assert.deepEqual(
      read.loras.map(({ name, weight, textWeight }) =>
        `${name} ${weight}${textWeight === undefined ? "" : ` text ${textWeight}`}`
      ),
      loras,
    );
  });
}

Deno.test("whatever stands beside a tag, the tag and no word is gone", () => {
  const part = fc.constantFrom("1girl", "smile", ", ", "\n", " ", "<a>", "</a>", ">_<", "，");
  const tag = fc.constantFrom("<lora:x:0.5>", "<lora:y>");
  fc.assert(fc.property(fc.array(fc.oneof(part, tag), { maxLength: 12 }), (parts) => {
    const { text, blanked } = readLoraTags(parts.join(""));
    assert.doesNotMatch(text + blanked, /lora:/);
    const words = (text: string) => text.match(/[a-z0-9]+|[<>_/]/gi) ?? [];
    assert.deepEqual(words(text), words(blanked));
  }));
});

Deno.test("a tag with a line separator in its name is read as any other", () => {
  const { loras } = readLoraTags("a, <lora:x\u2028y:0.5>");
  assert.deepEqual(loras, [{ name: "x\u2028y", weight: 0.5 }]);
});
