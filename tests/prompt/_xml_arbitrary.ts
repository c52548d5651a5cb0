/** Random elements, and ways to write the same element down. */
import fc from "fast-check";

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly content: readonly (string | Element)[];
}

const name = fc.oneof(
  fc.constantFrom("n", "character_1", "general_tags", "角色", "__proto__", "x-y.z"),
  fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/),
);

const text = fc.oneof(
  fc.constantFrom(
    "love & peace",
    ">_<",
    "<3, ]]>",
    "1girl,blue_hair , ,solo",
    "\n  a\n\tb\n",
    "ミク",
  ),
  // Control characters and U+FFFE, U+FFFF are not XML; a carriage return is read as a line feed.
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 })
    // deno-lint-ignore no-control-regex
    .filter((value) => !/[\x00-\x1f\ufffe\uffff]/.test(value)),
);

const { element } = fc.letrec<{ element: Element }>((tie) => ({
  element: fc.record({
    name,
    attributes: fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), text, {
      maxKeys: 2,
      noNullPrototype: true,
    }),
    content: fc.oneof(
      { depthSize: "small" },
      fc.array(text, { maxLength: 1 }),
      fc.tuple(text, tie("element")),
      fc.array(tie("element"), { maxLength: 3 }),
    ),
  }, { noNullPrototype: true }),
}));

export const elementArbitrary = element;

const escaped = (value: string) =>
  value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("]]>", "]]&gt;");

const attribute = (value: string) =>
  escaped(value).replaceAll('"', "&quot;").replaceAll("\n", "&#10;").replaceAll("\t", "&#x9;");

/** Writes characters as escaped text, as a CDATA section, or as both with a comment between. */
function writeText(value: string, style: number): string {
  const cdata = (part: string) => `<![CDATA[${part.replaceAll("]]>", "]]]]><![CDATA[>")}]]>`;
  if (style % 3 === 0) return escaped(value);
  if (style % 3 === 1) return cdata(value);
  const characters = Array.from(value);
  const half = characters.length >> 1;
  const [head, tail] = [characters.slice(0, half).join(""), characters.slice(half).join("")];
  // The border must not part "]]>", which is why the head is a CDATA section.
  return `${cdata(head)}<!-- a < comment & more -->${cdata(tail)}`;
}

/** XML for an element; other styles give other texts of the same meaning. */
export function writeElement({ name, attributes, content }: Element, style: number): string {
  const quote = Object.entries(attributes).map(([key, value]) => ` ${key} = "${attribute(value)}"`);
  if (content.length === 0 && style % 2 === 1) return `<${name}${quote.join("")}/>`;
  const inside = content.map((item, index) =>
    typeof item === "string" ? writeText(item, style + index) : writeElement(item, style + index)
  );
  return `<${name}${quote.join("")} >${inside.join("")}</${name}\n>`;
}
