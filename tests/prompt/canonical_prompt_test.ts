/**
 * The layout's example is the README of NewBieAI-Lab/NewBie-image-Exp0.1, "XML structured prompt",
 * shortened.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalPrompt, parseXmlPrompt } from "../../src/prompt/mod.ts";
import { elementArbitrary, writeElement } from "./_xml_arbitrary.ts";

const TRAINING_LAYOUT = `<character_1>
<n>$character_1$</n>
<gender>1girl</gender>
<appearance>chibi, red_eyes, blue_hair, long_hair</appearance>
<position>center_left</position>
</character_1>

<character_2>
<n>$character_2$</n>
<expression>happy, smile</expression>
</character_2>

<general_tags>
<count>2girls, multiple_girls</count>
<atmosphere>cheerful</atmosphere>
</general_tags>`;

Deno.test("the layout of the training data is canonical", () => {
  assert.equal(canonicalPrompt(TRAINING_LAYOUT), TRAINING_LAYOUT);
});

Deno.test("indentation, line ends, spacing of lists and comments make no difference", () => {
  const indented = TRAINING_LAYOUT.replaceAll("\n<", "\n\t  <").replaceAll("\n\n", "\n");
  assert.equal(canonicalPrompt(indented), TRAINING_LAYOUT);
  assert.equal(canonicalPrompt(TRAINING_LAYOUT.replaceAll("\n", "\r\n")), TRAINING_LAYOUT);
  assert.equal(canonicalPrompt(TRAINING_LAYOUT.replaceAll("\n", "")), TRAINING_LAYOUT);
  assert.equal(canonicalPrompt(TRAINING_LAYOUT.replaceAll(", ", " ,\n  ")), TRAINING_LAYOUT);
  assert.equal(
    canonicalPrompt(`<?xml version="1.0"?><!-- mine -->${TRAINING_LAYOUT}\n<!-- end -->\n`),
    TRAINING_LAYOUT,
  );
});

Deno.test("plain text stays as typed", () => {
  for (const text of ["", " 1girl,blue_hair ,  >_<\n", "<3", "A girl, singing. "]) {
    assert.equal(canonicalPrompt(text), text);
  }
});

Deno.test("attributes, text beside elements and escaped characters are kept", () => {
  assert.equal(
    canonicalPrompt(
      `<a w='1 &quot;&#10;' v="x">love &amp; peace,<b/>&gt;_&lt;,x<b>]]&gt;</b><!-- c --></a><c>red
        eyes</c>`,
    ),
    `<a w="1 &quot;&#10;" v="x">
love & peace
<b></b>
>_<, x
<b>]]></b>
</a>

<c>red eyes</c>`,
  );
});

Deno.test("& and < are escaped only where they would be read as an entity or a tag", () => {
  const canonical = (text: string) => canonicalPrompt(`<a>${text}</a>`).slice(3, -4);
  for (const text of ["love & peace", "<o>_<o>, >_<", "AT&T;", "&nbsp;", "<3", "<lora:x:1>", "&"]) {
    assert.equal(canonical(text), text);
  }
  assert.equal(canonical("&amp;lt;"), "&amp;lt;");
  assert.equal(canonical("&amp;&amp;amp;"), "&&amp;amp;");
  assert.equal(canonical("&lt;b>, >_<"), "&lt;b>, >_&lt;");
  assert.equal(canonical("<![CDATA[<x <b> <y]]>"), "&lt;x &lt;b> &lt;y");
  assert.equal(canonical("<![CDATA[＜n＞]]>"), "&#xFF1C;n＞");
});

Deno.test("full-width commas part items", () => {
  assert.equal(canonicalPrompt("<a>蓝发，双马尾、微笑 , x</a>"), "<a>蓝发, 双马尾, 微笑, x</a>");
});

Deno.test("text outside of elements goes into <other>, once and for all", () => {
  const canonical = `<character_1>
<n>miku</n>
</character_1>

<general_tags>
<other>best quality, Enjoy!</other>
</general_tags>`;
  const typed = "best quality\n```xml\n<character_1><n>miku</n></character_1>\n```\nEnjoy!";
  assert.equal(canonicalPrompt(typed), canonical);
  assert.equal(canonicalPrompt(canonical), canonical);
});

Deno.test("canonical form is its own canonical form and says the same", () => {
  fc.assert(fc.property(
    fc.array(elementArbitrary, { minLength: 1, maxLength: 3 }),
    fc.nat(),
    (elements, style) => {
      const typed = elements.map((element) => writeElement(element, style)).join("");
      const canonical = canonicalPrompt(typed);
      assert.equal(canonicalPrompt(canonical), canonical);
      assert.deepEqual(parseXmlPrompt(canonical), parseXmlPrompt(typed));
    },
  ));
});
