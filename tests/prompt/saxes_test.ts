/**
 * saxes 6.0.0, a strict XML parser, is the reference: what it accepts must be understood as it
 * understands it. What it loses of prompts is the reason for not using it.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { SaxesParser } from "saxes";
import { canonicalPrompt, parsePrompt, type PromptNode } from "../../src/prompt/mod.ts";
import type { Element } from "./_xml_arbitrary.ts";

/** What saxes makes of a text, or undefined where it complains. */
function saxesTree(text: string, options: { fragment: boolean }): Element | undefined {
  const root: Element = { name: "", attributes: {}, content: [] };
  const open = [root];
  let isRight = true;
  const parser = new SaxesParser<{ fragment: boolean; xmlns: false }>({ ...options, xmlns: false });
  const addText = (text: string) => {
    const content = open.at(-1)!.content as (string | Element)[];
    const last = content.at(-1);
    if (typeof last === "string") content[content.length - 1] = last + text;
    else content.push(text);
  };
  parser.on("error", () => isRight = false);
  parser.on("opentag", ({ name, attributes }) => {
    const element = { name, attributes: { ...attributes }, content: [] };
    (open.at(-1)!.content as (string | Element)[]).push(element);
    open.push(element);
  });
  parser.on("closetag", () => void open.pop());
  parser.on("text", addText);
  parser.on("cdata", addText);
  parser.write(text).close();
  return isRight ? root.content.find((item) => typeof item !== "string") as Element : undefined;
}

function bare({ name, attributes, content }: PromptNode): Element {
  return {
    name,
    attributes: { ...attributes },
    content: content.map((item) => typeof item === "string" ? item : bare(item))
      .filter((item) => item !== ""),
  };
}

Deno.test("what saxes accepts is understood as saxes understands it", () => {
  const piece = fc.constantFrom(
    "<a>",
    "</a>",
    "<b c='d' e=\"&lt;f&gt;\">",
    "<b\n c = '1\t2'>",
    "</b >",
    "<n/>",
    '<x y="z>"/>',
    "<!-- <a> & -->",
    "<![CDATA[<a> & ]]>",
    "<![CDATA[]]]]>",
    "<?pi x?>",
    "&amp;",
    "&#38;lt;",
    "&#x1F600;",
    "&gt;",
    "text",
    ">",
    "\r\n",
    " , ",
    "'\"",
  );
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const text = `<root>${pieces.join("")}</root>`;
      const expected = saxesTree(text, { fragment: false });
      if (expected === undefined) return;
      accepted++;
      const prompt = parsePrompt(text);
      assert(prompt.kind === "xml");
      assert.deepEqual(bare(prompt.roots[0]!), expected);
    }),
    { numRuns: 20_000 },
  );
  assert(accepted > 1000, `only ${accepted} texts were compared`);
});

Deno.test("what saxes loses is kept", () => {
  const lost = ["love & peace", ">_<", "<o>_<o>", ":<", "<3", "AT&T;", "&nbsp;", "<|>_<|>"]
    .filter((text) => {
      const tree = saxesTree(`<a>${text}</a>`, { fragment: true });
      return tree?.content.join("") !== text;
    });
  assert.equal(lost.length, 8);
  for (const text of lost) assert.equal(canonicalPrompt(`<a>${text}</a>`), `<a>${text}</a>`);
});
