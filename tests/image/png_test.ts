/** Pictures by Pillow, with the pixels and texts that Pillow reads: tests/reference/pictures.py. */
import assert from "node:assert/strict";
import { crc32, deflateSync } from "node:zlib";
import fc from "fast-check";
import {
  decodePng,
  encodePng,
  ImageError,
  MAX_TEXT_BYTES,
  readPictureText,
  type RgbImage,
} from "../../src/image/mod.ts";
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

Deno.test("UTF-8 where Latin-1 should stand is read as what it was meant for, Latin-1 as itself", () => {
  const written = (bytes: Uint8Array) => {
    const end = new TextEncoder().encode("k\0").length;
    const data = new Uint8Array(end + bytes.length);
    data.set(new TextEncoder().encode("k\0"));
    data.set(bytes, end);
    const png = encodePng(ONE_PIXEL);
    const texts = chunk("tEXt", data);
    return decodePng(Uint8Array.from([...png.subarray(0, 33), ...texts, ...png.subarray(33)]))
      .text["k"];
  };
  assert.equal(written(new TextEncoder().encode("初音, café")), "初音, café");
  assert.equal(written(Uint8Array.from("café", (letter) => letter.charCodeAt(0))), "café");
  // Two letters that are one in UTF-8.
  assert.equal(decodePng(encodePng(ONE_PIXEL, { text: { k: "Ã©" } })).text["k"], "Ã©");
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

Deno.test("a PNG is refused wherever it is cut", () => {
  const png = encodePng(ONE_PIXEL, { text: { prompt: "初音" } });
  for (let length = 0; length < png.length; length++) {
    assert.throws(() => decodePng(png.slice(0, length)), ImageError, `cut at ${length}`);
  }
});

Deno.test("a changed bit is refused, or leaves the picture as it was without the text", () => {
  const png = encodePng(ONE_PIXEL, { text: { prompt: "初音" } });
  const textStart = HEADER_END + 8;
  const textEnd = String.fromCharCode(...png).indexOf("IDAT") - 4;
  for (let index = 0; index < png.length; index++) {
    const changed = png.with(index, png[index]! ^ 0x10);
    if (index < textStart || index >= textEnd) {
      // The letters of the text chunk's type may become another chunk's that nobody needs.
      const isType = index >= HEADER_END + 4 && index < textStart;
      if (!isType) assert.throws(() => decodePng(changed), ImageError, `changed at ${index}`);
    } else {
      assert.deepEqual(decodePng(changed), { image: ONE_PIXEL, text: {} }, `changed at ${index}`);
    }
  }
});

Deno.test("another program's broken text leaves the others readable", () => {
  const png = encodePng(ONE_PIXEL, { text: { prompt: "初音" } });
  const broken = [
    chunk("zTXt", new TextEncoder().encode("Raw profile\0\0not deflated")),
    chunk("iTXt", new TextEncoder().encode("no end")),
    chunk("tEXt", new TextEncoder().encode("x".repeat(200) + "\0")),
  ];
  const mixed = new Uint8Array([
    ...png.slice(0, HEADER_END),
    ...broken.flatMap((bytes) => [...bytes]),
    ...png.slice(HEADER_END),
  ]);
  const { text, unread } = readPictureText(mixed);
  assert.deepEqual(text, { prompt: "初音" });
  assert(unread.includes("Raw profile"));
});

Deno.test("all texts together unpack to no more than the bound, and plain ones do not suffer", () => {
  const packed = (keyword: string, megabytes: number) =>
    chunk(
      "zTXt",
      new Uint8Array([
        ...new TextEncoder().encode(`${keyword}\0\0`),
        ...deflateSync(new Uint8Array(megabytes << 20).fill(97)),
      ]),
    );
  const png = encodePng(ONE_PIXEL, { text: { prompt: "初音" } });
  const bomb = new Uint8Array([
    ...png.slice(0, HEADER_END),
    ...[10, 10, 1, 64].flatMap((size, index) => [...packed(`k${index}`, size)]),
    ...png.slice(HEADER_END),
  ]);
  const { text, unread } = readPictureText(bomb);
  const total = Object.values(text).reduce((sum, { length }) => sum + length, 0);
  assert(total <= MAX_TEXT_BYTES, `${total} characters`);
  assert.equal(text["prompt"], "初音");
  assert.equal(text["k0"]!.length, 10 << 20);
  assert.deepEqual(unread, ["k1", "k2", "k3"]);
});

/** The whole chunk: length, type, data, and the checksum of the latter two. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/** After the signature and the header. */
const HEADER_END = 8 + 25;

Deno.test("a colour that is marked as transparent stays that colour", () => {
  const png = encodePng(ONE_PIXEL);
  const marked = new Uint8Array([
    ...png.slice(0, HEADER_END),
    ...chunk("tRNS", Uint8Array.of(0, 1, 0, 2, 0, 3)),
    ...png.slice(HEADER_END),
  ]);
  const { image, alpha } = decodePng(marked);
  assert.deepEqual(image, ONE_PIXEL);
  assert.deepEqual(alpha, Uint8ClampedArray.of(0));
});

Deno.test("a header that promises more than there is, is refused", () => {
  const png = encodePng(ONE_PIXEL);
  for (const [width, height] of [[2, 1], [1, 2], [0, 1], [60_000, 60_000], [2 ** 31, 2 ** 31]]) {
    const header = png.slice(16, 29);
    new DataView(header.buffer).setUint32(0, width!);
    new DataView(header.buffer).setUint32(4, height!);
    const lying = new Uint8Array([
      ...png.slice(0, 8),
      ...chunk("IHDR", header),
      ...png.slice(HEADER_END),
    ]);
    assert.throws(() => decodePng(lying), ImageError, `${width}×${height}`);
  }
});

/** A PNG of the header's last five bytes and unfiltered rows. */
function png(
  [width, height]: readonly [number, number],
  form: readonly number[],
  rows: readonly number[],
  ...between: readonly Uint8Array[]
): Uint8Array {
  return new Uint8Array([
    ...encodePng(ONE_PIXEL).slice(0, 8),
    ...chunk("IHDR", Uint8Array.of(0, 0, 0, width, 0, 0, 0, height, ...form)),
    ...between.flatMap((bytes) => [...bytes]),
    ...chunk("IDAT", deflateSync(Uint8Array.from(rows))),
    ...chunk("IEND", new Uint8Array()),
  ]);
}

Deno.test("several indices in a byte are read from its highest bits on, row by row", () => {
  const palette = chunk("PLTE", Uint8Array.of(0, 1, 2, 10, 11, 12, 20, 21, 22));
  const rows = [0, 0b00_01_10_00, 0b01_00_00_00, 0, 0b10_10_01_01, 0b00_00_00_00];
  const { image } = decodePng(png([5, 2], [2, 3, 0, 0, 0], rows, palette));
  const red = image.data.filter((_, index) => index % 3 === 0);
  assert.deepEqual([...red], [0, 10, 20, 0, 10, 20, 20, 10, 10, 0]);
  const outside = [0, 0b11_00_00_00, 0, 0, 0, 0];
  assert.throws(
    () => decodePng(png([5, 2], [2, 3, 0, 0, 0], outside, palette)),
    /no color 3/,
  );
  assert.throws(() => decodePng(png([5, 2], [2, 3, 0, 0, 0], rows)), /palette is missing/);
});

Deno.test("unknown filters, colours, depths and orders of rows are refused", () => {
  const row = [0, 1, 2, 3];
  assert.deepEqual(decodePng(png([1, 1], [8, 2, 0, 0, 0], row)).image, ONE_PIXEL);
  assert.throws(() => decodePng(png([1, 1], [8, 2, 0, 0, 2], row)), /no PNG may/);
  assert.throws(() => decodePng(png([1, 1], [4, 2, 0, 0, 0], row)), /no PNG may/);
  assert.throws(() => decodePng(png([1, 1], [8, 2, 0, 0, 0], [5, 1, 2, 3])), /unknown filter 5/);
  assert.throws(() => decodePng(png([1, 1], [8, 5, 0, 0, 0], row)), ImageError);
  assert.throws(() => decodePng(png([1, 1], [8, 2, 0, 0, 0], [...row, 4])), /5 were found/);
  const many = [...row, ...new Uint8Array(100_000)];
  assert.throws(() => decodePng(png([1, 1], [8, 2, 0, 0, 0], many)), /many more were found/);
});

Deno.test("a smooth picture is small, because neighbours predict each pixel", () => {
  const size = 128;
  // A plane that is tilted: every pixel is the one above plus the one to the left minus the corner.
  const data = Uint8ClampedArray.from(
    { length: 3 * size * size },
    (_, index) => Math.floor(index / 3) % size + Math.floor(index / (3 * size)),
  );
  const unfiltered = deflateSync(data, { level: 9 }).length;
  assert(encodePng({ data, width: size, height: size }).length < unfiltered / 2);
});
