/** Expected trees are written out here, or are the random trees from which the XML was written. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parsePrompt, type PromptNode, XmlPromptError } from "../../src/prompt/mod.ts";
import { type Element, elementArbitrary, writeElement } from "./_xml_arbitrary.ts";

function rootsOf(text: string): readonly PromptNode[] {
  const prompt = parsePrompt(text);
  assert(prompt.kind === "xml", `taken for plain text: ${text}`);
  return prompt.roots;
}

function errorOf(text: string): XmlPromptError {
  try {
    parsePrompt(text);
  } catch (error) {
    assert(error instanceof XmlPromptError, String(error));
    return error;
  }
  assert.fail(`accepted: ${text}`);
}

/** A node without positions and with neighbouring pieces of text joined. */
function bare({ name, attributes, content }: PromptNode): Element {
  return {
    name,
    attributes,
    content: content.map((item) => typeof item === "string" ? item : bare(item)),
  };
}

Deno.test("lists of tags and sentences are plain text, faces and hearts included", () => {
  const texts = [
    "",
    "  ",
    "1girl, blue_hair, >_<, ^_^, love & peace",
    "<3, 1girl",
    "</3, 1girl",
    "<o>_<o>, 1girl",
    "<|>_<|>, 1girl",
    "<lora:style:0.8>, 1girl",
    "< 5 girls",
    "<girl, blue_hair",
    "a girl <n>miku</n>",
    "(blue_hair:1.2)",
  ];
  for (const text of texts) assert.deepEqual(parsePrompt(text), { kind: "text", text });
});

Deno.test("elements keep their order, attributes, text and position", () => {
  const roots = rootsOf(
    '\n<character_1 weight="1.2">\r\n  <n>miku &amp; love</n>😀<x/>\n</character_1>\n\n<style>a, b</style>\n',
  );
  assert.equal(roots.length, 2);
  const [character, style] = roots;
  assert.deepEqual({ ...character!.attributes }, { weight: "1.2" });
  assert.deepEqual(character!.children.map(({ name }) => name), ["n", "x"]);
  assert.equal(character!.text, "😀");
  assert.deepEqual([character!.line, character!.column], [2, 1]);
  const [n, x] = character!.children;
  assert.equal(n!.text, "miku & love");
  assert.deepEqual([n!.line, n!.column], [3, 3]);
  // Columns count characters: the emoji is one.
  assert.deepEqual([x!.line, x!.column], [3, 26]);
  assert.equal(style!.text, "a, b");
  assert.deepEqual([style!.line, style!.column], [6, 1]);
});

/** Text that Danbooru's tags and other tools' notations put into elements. */
const TEXTS = [
  "love & peace",
  ">_<",
  "<o>_<o>",
  "<|>_<|>",
  ":<",
  ">:<",
  "<3",
  "^_^",
  "\\\\m/",
  "AT&T;",
  "&nbsp;",
  "&#1;",
  "&",
  "<",
  "<<<",
  "a < b > c",
  "<1girl>",
  "<lora:style:0.8>",
  "]]>",
  "<!",
  "<?",
  "</3",
  "blue <smile",
  "(blue_hair:1.2)",
];

Deno.test("inside an element &, < and > are text where they are no markup", () => {
  for (const text of TEXTS) {
    for (const [before, after] of [["", ""], ["x, ", ", y"], ["\n", "\n"]]) {
      const [node] = rootsOf(`<a>${before}${text}${after}<b>z</b></a>`);
      assert.equal(node!.text, `${before}${text}${after}`.trim());
      assert.equal(node!.children[0]!.text, "z");
    }
  }
});

Deno.test("Markdown's fences are no content, wherever the tags stand beside them", () => {
  for (
    const text of [
      "```xml\n<a>x</a>\n```",
      "```\r\n<a>x</a>\r\n```\r\n",
      "\n  ```prompt \n<a>x</a>\n  ```\n",
      "```xml <a>x</a> ```",
      "~~~xml\n<a>x</a>\n~~~",
    ]
  ) assert.deepEqual(rootsOf(text).map(bare), [{ name: "a", attributes: {}, content: ["x"] }]);
});

Deno.test("text beside elements at the top becomes part of <general_tags><other>", () => {
  const other = (text: string) => {
    const general = rootsOf(text).find(({ name }) => name === "general_tags")!;
    return general.children.find(({ name }) => name === "other")!.text.split(/\s*,\s*/)
      .filter((item) => item !== "");
  };
  assert.deepEqual(other("best quality, >_<\n<character_1><n>miku</n></character_1>"), [
    "best quality",
    ">_<",
  ]);
  assert.deepEqual(
    other("<general_tags><other>a</other><style>s</style></general_tags> b <c/> <![CDATA[<d>]]>"),
    ["a", "b", "<d>"],
  );
  assert.deepEqual(other("Here:\n```xml\n<general_tags></general_tags>\n```\nEnjoy!"), [
    "Here:",
    "Enjoy!",
  ]);
});

Deno.test("what an input method wrote for <, / and > makes tags of known names", () => {
  const expected = [{ name: "n", attributes: {}, content: ["初音ミク"] }];
  for (const text of ["＜n＞初音ミク＜／n＞", "<n＞初音ミク</n＞", "＜n ＞初音ミク＜/n>"]) {
    assert.deepEqual(rootsOf(text).map(bare), expected, text);
  }
  assert.equal(rootsOf("<a>＜o＞_＜o＞</a>")[0]!.text, "＜o＞_＜o＞");
});

Deno.test("all errors are told at once, the first one in the message", () => {
  const error = errorOf("<a></i><n>x</a>\n<style>y");
  assert.deepEqual(error.diagnostics.map(({ code, line, column }) => [code, line, column]), [
    ["misnamed-tag", 1, 4],
    ["unclosed-inside", 1, 12],
    ["unclosed-tag", 2, 1],
  ]);
  assert.match(error.message, /^Line 1, column 4 .*2 more errors\.$/);
});

Deno.test("predefined and numeric entities and CDATA sections are text", () => {
  const [node] = rootsOf("<a>&lt;&gt;&amp;&quot;&apos;&#9829;&#x1F600;<![CDATA[ <b> & ]]></a>");
  assert.equal(node!.text, "<>&\"'♥😀 <b> &");
});

Deno.test("a byte order mark, a declaration and comments may stand before and between", () => {
  const before = [
    "",
    "\ufeff",
    '<?xml version="1.0" encoding="UTF-8"?>\n',
    "<!-- <x> & -->\n",
    " \n",
  ];
  for (const start of [...before, '\ufeff<?xml version="1.0"?><!-- c -->\n']) {
    const roots = rootsOf(`${start}<a>x</a><!-- & -->\n<b/><!-- c -->`);
    assert.deepEqual(roots.map(({ name }) => name), ["a", "b"], start);
  }
});

Deno.test("comments and instructions end as XML says, and hold anything", () => {
  assert.equal(rootsOf("<a>x<!-- <b> --!> <!-- & -->y<?pi <c> > ?>z</a>")[0]!.text, "xyz");
});

Deno.test("any tree comes back from any way of writing it", () => {
  fc.assert(fc.property(
    fc.array(elementArbitrary, { minLength: 1, maxLength: 3 }),
    fc.nat(),
    (elements, style) => {
      const text = elements.map((element) => writeElement(element, style)).join("\n");
      assert.deepEqual(rootsOf(text).map(bare), elements);
    },
  ));
});

/** Faults, each with the line and column that a person would point at and what must be named. */
const FAULTS: readonly (readonly [text: string, line: number, column: number, named: RegExp])[] = [
  ["<n>x", 1, 1, /<n> is never closed.*<\/n>/],
  ["<character_1><n>x</character_1>", 1, 18, /<n>, opened at line 1, column 14.*Put <\/n>/],
  ["<character_1><n>x</i></character_1>", 1, 18, /<\/i> closes nothing here: expected <\/n>/],
  ["<a>\n  <n>miku\n</a>", 3, 1, /<\/a>.*<n>, opened at line 2, column 3.*Put <\/n>/],
  ["<a>\n <n>miku</a></n>", 2, 9, /<\/a> crosses <n>, opened at line 2, column 2.*Put <\/n>/],
  ["<a><n>miku<n></a>", 1, 11, /<n> opens inside <n>.*Write <\/n>/],
  ["<a>x</b>", 1, 5, /<\/b> closes nothing here: expected <\/a>/],
  ["<aple>x</apple>", 1, 8, /<\/apple> closes nothing here: expected <\/aple>/],
  ["<a>x</a></b>", 1, 9, /<\/b> closes nothing\. Remove/],
  ["</a>", 1, 1, /<\/a> closes nothing\. Remove/],
  ["<n miku</n>", 1, 1, /<n has no > at its end/],
  ["<n>miku</n\n<style>x</style>", 1, 8, /<\/n has no > at its end/],
  ["<a>x</a><!DOCTYPE b>", 1, 9, /DOCTYPE.*bound.* 0/],
  ["<a>&lol;</a><!ENTITY lol 'x'>", 1, 13, /ENTITY.*bound.* 0/],
  ["<a><!-- b</a>", 1, 4, /<!--.*-->/],
  ["<a><![CDATA[b</a>", 1, 4, /]]>/],
  ["<a><?xml b</a>", 1, 4, /\?>/],
];

for (const [text, line, column, named] of FAULTS) {
  Deno.test(`${JSON.stringify(text)} is refused at ${line}:${column}`, () => {
    const error = errorOf(text);
    assert.match(error.message, named);
    assert.deepEqual([error.line, error.column], [line, column], error.message);
    assert(error.message.startsWith(`Line ${line}, column ${column} `));
  });
}

Deno.test("depth and length have bounds, which the error names", () => {
  const nested = (depth: number) => "<a>".repeat(depth) + "</a>".repeat(depth);
  rootsOf(nested(64));
  assert.match(errorOf(nested(65)).message, /65 deep.*64/);
  const long = (length: number) => `<a>${"x".repeat(length - 7)}</a>`;
  rootsOf(long(65_536));
  assert.match(errorOf(long(65_537)).message, /65537 characters.*65536/);
  assert.match(errorOf("x".repeat(65_537)).message, /65537 characters.*65536/);
});

Deno.test("whatever is typed, it parses or is refused at a place inside it", () => {
  const pieces = fc.constantFrom(
    ..."<>&;/!?-[]= \n\"'ax1",
    "<a>",
    "</a>",
    "<b c='d'>",
    "</b>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    "&amp;",
    "😀",
    "\r\n",
  );
  const texts = fc.array(pieces, { maxLength: 30 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(texts, (text) => {
      try {
        parsePrompt(`<a>${text}</a>`);
      } catch (error) {
        assert(error instanceof XmlPromptError, String(error));
        const before = `<a>${text}</a>`.slice(0, error.offset);
        assert(before.length === error.offset);
        assert.equal(
          error.line,
          before.replaceAll("\r\n", "\n").replaceAll("\r", "\n").split("\n").length,
        );
      }
    }),
    { numRuns: 3000 },
  );
});
