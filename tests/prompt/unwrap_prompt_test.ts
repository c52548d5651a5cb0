/** Prompts as upstream's trainer, samples and ComfyUI's template for this model write them. */
import assert from "node:assert/strict";
import {
  canonicalPrompt,
  checkPrompt,
  parseXmlPrompt,
  promptKind,
  renderDiagnostics,
  unwrapPrompt,
} from "../../src/prompt/mod.ts";

const SYSTEM = "You are an assistant designed to generate high-quality anime images based on xml " +
  "format prompts. <Prompt Start>";
const XML = "<character_1>\n<n>miku</n>\n</character_1>";

Deno.test("a system prompt in front is taken off, whatever parts it from the prompt", () => {
  for (const between of ["", " ", "\n", "\n\n", ", ", "，"]) {
    const text = SYSTEM + between + XML;
    assert.equal(unwrapPrompt(text).systemPrompt, `${SYSTEM} `, JSON.stringify(between));
    assert.equal(canonicalPrompt(text), canonicalPrompt(XML));
    assert.deepEqual(parseXmlPrompt(text), parseXmlPrompt(XML));
    assert.equal(promptKind(text), "xml");
    assert.deepEqual(checkPrompt(text).diagnostics, []);
    assert.equal(checkPrompt(text).systemPrompt, `${SYSTEM} `);
  }
  assert.equal(
    canonicalPrompt(`${SYSTEM} <img>${XML}</img>`),
    canonicalPrompt(`<img>${XML}</img>`),
  );
  assert.equal(canonicalPrompt(`${SYSTEM} 1girl, smile`), "1girl, smile");
});

Deno.test("faults keep their places behind a system prompt", () => {
  const text = `${SYSTEM}\n<character_1>\n  <n>miku</m>\n</character_1>`;
  const { diagnostics } = checkPrompt(text);
  assert(diagnostics.length > 0);
  for (const { line } of diagnostics) assert(line >= 2, String(line));
  assert.match(renderDiagnostics(text, diagnostics), /<n>miku<\/m>/);
});

Deno.test("of ComfyUI's JSON the tags are the prompt, and the caption is its caption", () => {
  const envelope = JSON.stringify({
    character_1: { bbox: [0, 0, 1, 1] },
    image: { tags: XML, caption: 'She says "a < b".' },
  });
  assert.equal(
    canonicalPrompt(envelope),
    canonicalPrompt(`${XML}\n<caption>She says "a &lt; b".</caption>`),
  );
  assert.deepEqual(
    checkPrompt(envelope).diagnostics.map(({ code }) => code),
    ["unused-json"],
  );
  const plain = JSON.stringify({ image: { tags: "1girl, smile", caption: "A girl." } });
  assert.equal(canonicalPrompt(plain), "1girl, smile\nA girl.");
  const faulty = JSON.stringify({ image: { tags: "<character_1>\n<n>miku</m>\n</character_1>" } });
  assert.match(renderDiagnostics(faulty, checkPrompt(faulty).diagnostics), /<n>miku<\/m>/);
});

// The template of Comfy-Org/workflow_templates, image_newbieimage_exp0_1-t2i.json: it puts the texts
// between quotation marks as they are.
Deno.test("the prompt that ComfyUI's template makes is read, line breaks and quotation marks within", () => {
  const made = `${SYSTEM}\n{\n"character_1": {\n"bbox": [\n0,\n0,\n1000,\n1000\n],\n` +
    `"name": "$character_1$"\n},\n"image": {\n"tags": "\n${XML}\n",\n` +
    `"caption": "She says "hello, world", smiling \\(^_^)."\n}\n}`;
  assert.equal(
    canonicalPrompt(made),
    canonicalPrompt(`${XML}\n<caption>She says "hello, world", smiling \\(^_^).</caption>`),
  );
  const { systemPrompt, diagnostics } = checkPrompt(made);
  assert.equal(systemPrompt, `${SYSTEM} `);
  // The name is not in these tags, which call her miku.
  assert.match(
    diagnostics.map(({ message }) => message).join(),
    /character_1\.bbox, character_1\.name/,
  );
  assert.deepEqual(diagnostics.map(({ code }) => code), ["unused-json"]);
});

Deno.test("JSON around a prompt may nest oddly", () => {
  const said = (json: unknown) => canonicalPrompt(JSON.stringify(json));
  assert.equal(said({ tags: "1girl", caption: "A girl." }), "1girl\nA girl.");
  assert.equal(said({ caption: "A girl.", tags: "1girl" }), "A girl.\n1girl");
  assert.equal(said({ prompt: { image: { tags: ["1girl", "solo"] } } }), "1girl, solo");
  assert.equal(said({ image: { caption: "A girl." } }), "A girl.");
  assert.equal(canonicalPrompt('```json\n{"tags": "1girl",}\n```'), "1girl");
  assert.equal(canonicalPrompt(`{"tags": "${SYSTEM} 1girl"}`), "1girl");
  assert.deepEqual(unwrapPrompt('{"image": {"tags": "a", "seed": 1}, "x": {"y": [1]}}').unused, [
    "image.seed",
    "x.y",
  ]);
  const deep = '{"a":'.repeat(10_000) + '""' + "}".repeat(10_000);
  assert.deepEqual(unwrapPrompt(deep), { text: deep });
  const open = '{"a": "' + '", "'.repeat(16_000);
  assert.deepEqual(unwrapPrompt(open), { text: open });
});

Deno.test("of two system prompts the last one counts, in whatever case and brackets", () => {
  const { text, systemPrompt } = unwrapPrompt(
    `${SYSTEM}\nYou are a painter. ＜prompt start＞ 1girl`,
  );
  assert.equal(text.trim(), "1girl");
  assert.equal(systemPrompt, "You are a painter. <Prompt Start> ");
});

Deno.test("a system prompt is found behind what is not seen, and inside of Markdown's fence", () => {
  for (const text of [`\u200b${SYSTEM}\n${XML}`, "```xml\n" + SYSTEM + "\n" + XML + "\n```"]) {
    assert.equal(canonicalPrompt(text), canonicalPrompt(XML));
    assert.equal(checkPrompt(text).systemPrompt, `${SYSTEM} `);
  }
});

Deno.test("what only resembles them stays as it was typed", () => {
  for (
    const text of [
      "1girl, <Prompt Start>",
      "You are an assistant without an end",
      `1girl ${SYSTEM}`,
      '{"a": 1}',
      '{"image": 5}',
      '{"image": {"tags": 7}}',
      '{"image": {"tags": ',
      "{a|b}",
      "",
    ]
  ) {
    assert.deepEqual(unwrapPrompt(text), { text });
  }
});
