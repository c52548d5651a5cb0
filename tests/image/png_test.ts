/** Pictures by Pillow, with the pixels and texts that Pillow reads: tests/reference/pictures.py. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { decodePng, encodePng, ImageError, type RgbImage } from "../../src/image/mod.ts";
import { fixture, readJson } from "../_fixtures.ts";

interface Pillow {
  readonly width: number;
  readonly height: number;
  readonly pixels: Readonly<Record<string, string>>;
  readonly texts: Readonly<Record<string, string>>;
}

const pillow = await readJson<Pillow>(fixture("image/pillow.json"));

for (const [mode, pixels] of Object.entries(pillow.pixels)) {
  Deno.test(`Pillow's PNG of mode ${mode} decodes to Pillow's pixels and texts`, async () => {
    const { image, text } = decodePng(
      await Deno.readFile(fixture(`image/pillow_${mode}.png`)),
    );
    assert.equal(image.width, pillow.width);
    assert.equal(image.height, pillow.height);
    assert.deepEqual([...image.data], [...Uint8Array.fromBase64(pixels)]);
    assert.deepEqual(text, pillow.texts);
  });
}

const images = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })).chain(
  ([width, height]) =>
    fc.uint8ClampedArray({ minLength: 3 * width * height, maxLength: 3 * width * height })
      .map((data): RgbImage => ({ data, width, height })),
);

const keywords = fc.oneof(
  fc.constantFrom("prompt", "Software", "__proto__", "x".repeat(79), "é ü"),
  fc.stringMatching(/^[!-~]{1,20}$/),
);

const texts = fc.dictionary(
  keywords,
  fc.string({ unit: "binary" }).filter((text) => !text.includes("\0")),
  { maxKeys: 4, noNullPrototype: true },
);

Deno.test("pictures and texts of any Unicode come back from PNG", () => {
  fc.assert(fc.property(images, texts, (image, text) => {
    const decoded = decodePng(encodePng(image, { text }));
    assert.deepEqual(decoded.image, image);
    assert.deepEqual(Object.entries(decoded.text), Object.entries(text));
  }));
});

const ONE_PIXEL: RgbImage = { data: Uint8ClampedArray.of(1, 2, 3), width: 1, height: 1 };

Deno.test("texts stand before the picture, in the form that other programs read", () => {
  const png = encodePng(ONE_PIXEL, { text: { plain: "café\n1", other: "初音" } });
  const latin1 = Array.from(png, (byte) => String.fromCharCode(byte)).join("");
  assert(latin1.includes("tEXtplain\0café\n1"));
  // Keyword, end, uncompressed, method 0, no language, no translation, then UTF-8.
  assert(latin1.includes("iTXtother\0\0\0\0\0\xe5\x88\x9d\xe9\x9f\xb3"));
  assert(latin1.indexOf("iTXt") < latin1.indexOf("IDAT"));
});

Deno.test("keywords and texts that PNG cannot hold are refused", () => {
  for (const keyword of ["", " a", "a ", "a  b", "a\nb", "初音", "x".repeat(80)]) {
    assert.throws(() => encodePng(ONE_PIXEL, { text: { [keyword]: "" } }), RangeError, keyword);
  }
  assert.throws(() => encodePng(ONE_PIXEL, { text: { a: "b\0c" } }), /U\+0000/);
});

Deno.test("a picture whose data do not fill its size is refused", () => {
  assert.throws(() => encodePng({ ...ONE_PIXEL, width: 2 }), /2×1 holds 6 values, but 3/);
  assert.throws(
    () => encodePng({ data: new Uint8ClampedArray(), width: 0, height: 0 }),
    RangeError,
  );
});

Deno.test("damaged PNGs are refused, wherever they are cut or changed", () => {
  const png = encodePng(ONE_PIXEL, { text: { prompt: "初音" } });
  for (let length = 0; length < png.length; length++) {
    assert.throws(() => decodePng(png.slice(0, length)), ImageError, `cut at ${length}`);
  }
  for (let index = 0; index < png.length; index++) {
    const changed = png.with(index, png[index]! ^ 0x10);
    assert.throws(() => decodePng(changed), ImageError, `changed at ${index}`);
  }
});
