/**
 * XMP: texts by keyword where the format has no texts of its own, and what other programs wrote.
 *
 * Form: ISO 16684-1 (https://github.com/adobe/XMP-Toolkit-SDK/tree/main/docs), parts 1 and 3.
 *
 * @module
 */
import { Parser } from "htmlparser2";

/** The namespace of the texts by keyword. */
const OWN = "urn:newbie-toolkit:texts:1#";

/** What XML 1.0 cannot hold, even as a number. */
// deno-lint-ignore no-control-regex
const NOT_XML = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/;

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  // A reader of XML takes it for a line feed otherwise.
  "\r": "&#13;",
};
const escape = (text: string) => text.replace(/[&<>\r]/g, (character) => ESCAPES[character]!);

/** A packet with texts by keyword. */
export function writeXmp(texts: Readonly<Record<string, string>>): string {
  const items = Object.entries(texts).map(([keyword, text]) => {
    const value = NOT_XML.test(text)
      ? `<nb:base64>${new TextEncoder().encode(text).toBase64()}</nb:base64>`
      : `<nb:value>${escape(text.toWellFormed())}</nb:value>`;
    return `<rdf:li rdf:parseType="Resource"><nb:keyword>${escape(keyword)}</nb:keyword>` +
      `${value}</rdf:li>\n`;
  });
  return `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n` +
    `<x:xmpmeta xmlns:x="adobe:ns:meta/">\n` +
    `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n` +
    `<rdf:Description rdf:about="" xmlns:nb="${OWN}">\n` +
    `<nb:texts><rdf:Bag>\n${items.join("")}</rdf:Bag></nb:texts>\n` +
    `</rdf:Description>\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>`;
}

/** The properties of others in which pictures have their description. */
const FOREIGN: ReadonlySet<string> = new Set([
  "exif:UserComment",
  "dc:description",
  "tiff:ImageDescription",
]);

/** XMP's structures are half as deep. The parser takes quadratic time of deeper ones. */
const MOST_DEPTH = 32;

/** Ends the reading of a packet. */
class TooDeep extends Error {}

/** The texts of a packet. Bad XML gives what stands before it. */
export function readXmp(xmp: string): Record<string, string> {
  const texts: Record<string, string> = {};
  const own = new Map<string, string>();
  const path: string[] = [];
  const values: string[] = [];
  let keyword = "";
  const add = (name: string, value: string) => {
    const key = `xmp:${name}`;
    if (FOREIGN.has(name) && value !== "" && !Object.hasOwn(texts, key)) texts[key] = value;
  };
  const parser = new Parser({
    onopentag(name, attributes) {
      if (path.length === MOST_DEPTH) throw new TooDeep();
      path.push(name);
      values.push("");
      for (const [attribute, value] of Object.entries(attributes)) add(attribute, value);
    },
    ontext(text) {
      if (values.length > 0) values[values.length - 1] += text;
    },
    onclosetag(name) {
      path.pop();
      const value = values.pop() ?? "";
      if (name === "nb:keyword") keyword = value;
      else if (name === "nb:value") own.set(keyword, value);
      else if (name === "nb:base64") own.set(keyword, fromBase64(value));
      // Alternatives in several languages: the first one.
      else if (name === "rdf:li") add(path.at(-2) ?? "", value.trim());
      else add(name, value.trim());
    },
  }, { xmlMode: true });
  try {
    parser.end(xmp);
  } catch (error) {
    if (!(error instanceof TooDeep)) throw error;
  }
  return { ...texts, ...Object.fromEntries(own) };
}

function fromBase64(value: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(value));
  } catch {
    return "";
  }
}
