/**
 * Reading in time proportional to the text. A reader that took quadratic time would need hours for
 * these texts.
 */
import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { encodePng, readPictureText } from "../../src/image/mod.ts";
import { readForeignRecipe } from "../../src/recipe/mod.ts";
import { assertQuick } from "../_processor_time.ts";

const CHARACTERS = 1 << 20;

const filled = (unit: string) => unit.repeat(Math.ceil(CHARACTERS / unit.length));

/** What drives expressions of other readers of the same texts, or a careless scanner, mad. */
const UNITS = [
  "a",
  " ",
  ":",
  ",",
  "\n",
  "a:",
  "ab:",
  "ab: ,",
  'ab: "',
  "ab: {",
  'ab: {"a',
  "ab: [[",
  'ab: "\\',
  "a b/c-d ",
  "Negative prompt:\n",
  "[",
  "{",
  '"',
  "\\",
];

Deno.test("parameters of any form are read in linear time", () => {
  for (const unit of UNITS) {
    const text = filled(unit);
    assertQuick(JSON.stringify(unit), () => readForeignRecipe({ parameters: `a\n${text}` }));
    assertQuick(`description ${JSON.stringify(unit)}`, () => {
      readForeignRecipe({ "exif:ImageDescription": `\nSteps: 1${text}`, Comment: `{${text}` });
    });
    const image = { prompt: text, sampler: text, scheduler: text };
    assertQuick(`old ${JSON.stringify(unit)}`, () => {
      readForeignRecipe({ "sd-metadata": JSON.stringify({ image }) });
      readForeignRecipe({ invokeai_metadata: JSON.stringify(image) });
      readForeignRecipe({ parameters: JSON.stringify({ ...image, resolution: text }) });
    });
  }
});

Deno.test("a graph that runs in circles or puts texts together again and again ends", () => {
  const nodes = 20_000;
  const sampler = {
    class_type: "KSampler",
    inputs: { steps: ["0", 0], seed: ["0", 0], positive: ["0", 0], latent_image: ["0", 0] },
  };
  const joined = Object.fromEntries(
    Array.from({ length: nodes }, (_, id) => {
      const next = String((id + 1) % nodes);
      const inputs = {
        text_a: [next, 0],
        text_b: [next, 1],
        string_c: "x",
        conditioning: [next, 0],
        samples: [next, 0],
        width: [next, 0],
        height: [next, 0],
        positive: [next, 0],
        steps: [next, 0],
        latent_image: [next, 0],
      };
      return [String(id), { class_type: `Node ${id}`, inputs }];
    }),
  );
  assertQuick("the graph", () => {
    const recipe = readForeignRecipe({ prompt: JSON.stringify({ ...joined, sampler }) });
    assert((recipe?.settings.prompt ?? "").length <= 1 << 17);
  });
});

Deno.test("XMP and EXIF of any form are read in linear time", () => {
  const image = { data: new Uint8ClampedArray(3), width: 1, height: 1 };
  const units = ["<", "<a>", "<a b='", "&", "&#", "</", "<!--", "<rdf:li>", "<nb:keyword>", "<?"];
  for (const unit of units) {
    const png = encodePng(image, { text: { "XML:com.adobe.xmp": `<a>${filled(unit)}` } });
    assertQuick(JSON.stringify(unit), () => readPictureText(png));
  }
  // A directory whose entries all point at the same megabytes.
  const entries = 500;
  const tiff = new Uint8Array(CHARACTERS).fill(65);
  const view = new DataView(tiff.buffer);
  tiff.set(new TextEncoder().encode("MM\0*"));
  view.setUint32(4, 8);
  view.setUint16(8, entries);
  for (let index = 0; index < entries; index++) {
    const at = 10 + 12 * index;
    view.setUint16(at, index % 2 === 0 ? 0x010e : 0x8769);
    view.setUint16(at + 2, index % 2 === 0 ? 2 : 4);
    view.setUint32(at + 4, index % 2 === 0 ? CHARACTERS - 8 : 1);
    view.setUint32(at + 8, 8);
  }
  const jpeg = new Uint8Array([
    ...[0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff],
    ...new TextEncoder().encode("Exif\0\0"),
    ...tiff.subarray(0, 0xffff - 8),
    ...[0xff, 0xd9],
  ]);
  assertQuick("the directory", () => readPictureText(jpeg));
});

Deno.test("sixty texts that unpack to sixteen megabytes each are bounded together", () => {
  const packed = deflateSync(new Uint8Array(2 ** 24 - 1).fill(97));
  const parts = Array.from({ length: 60 }, (_, index) => {
    const data = new Uint8Array([...new TextEncoder().encode(`zTXtk${index}\0\0`), ...packed]);
    const chunk = new Uint8Array(data.length + 8);
    new DataView(chunk.buffer).setUint32(0, data.length - 4);
    chunk.set(data, 4);
    return chunk;
  });
  const png = encodePng({ data: new Uint8ClampedArray(3), width: 1, height: 1 });
  const bomb = new Uint8Array([
    ...png.slice(0, 33),
    ...parts.flatMap((part) => [...part]),
    ...png.slice(33),
  ]);
  assertQuick("the texts", () => {
    const { text } = readPictureText(bomb);
    const total = Object.values(text).reduce((sum, { length }) => sum + length, 0);
    assert(total <= 2 ** 24);
  });
});
