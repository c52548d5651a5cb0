/** Sizes, marks and pixels are worked out here from small pictures. */
import assert from "node:assert/strict";
import { crc32, deflateSync } from "node:zlib";
import { RequestError } from "../../src/errors.ts";
import { encodePng, type RgbImage } from "../../src/image/mod.ts";
import { putBack } from "../../src/studio/_masked_place.ts";
import { type AskedSource, openSource } from "../../src/studio/source_picture.ts";
import { fixture } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";

const MODEL = { multiple: 16, trained: 64 };

/** Red grows to the right, green downwards. */
function gradient(width: number, height: number): RgbImage {
  const data = Uint8ClampedArray.from({ length: 3 * width * height }, (_, at) => {
    const pixel = Math.floor(at / 3);
    return [pixel % width, Math.floor(pixel / width), 0][at % 3]!;
  });
  return { data, width, height };
}

async function withPicture(
  image: RgbImage,
  work: (path: string, folder: string) => Promise<void>,
): Promise<void> {
  await inTempFolder(async (folder) => {
    await Deno.writeFile(`${folder}/a.png`, encodePng(image));
    return await work(`${folder}/a.png`, folder);
  });
}

const at = (
  { data, width }: RgbImage,
  column: number,
  row: number,
) => [...data.subarray(3 * (row * width + column), 3 * (row * width + column) + 3)];

const SIZED: readonly (readonly [
  string,
  readonly [number, number],
  { width?: number; height?: number; resize?: AskedSource["resize"] },
  readonly [number, number],
  RegExp | undefined,
])[] = [
  ["a picture that fits stays as it is", [64, 48], {}, [64, 48], undefined],
  ["a few pixels are cut off", [70, 50], {}, [64, 48], /is 70×50: cut to 64×48/],
  ["a large picture is made smaller, in its shape", [400, 200], {}, [96, 48], /scaled to 96×48\./],
  ["a tiny one is made larger", [1, 1], {}, [16, 16], /scaled to 16×16\./],
  ["one side brings the other along", [64, 32], { width: 32 }, [32, 16], /scaled to 32×16\./],
  ["both sides are filled", [64, 64], { width: 64, height: 32 }, [64, 32], /cut to 64×32/],
  ["fit stays within both", [64, 64], { width: 64, height: 32, resize: "fit" }, [32, 32], /32×32/],
  [
    "pad draws out the edges",
    [64, 64],
    { width: 64, height: 32, resize: "pad" },
    [64, 32],
    /scaled to 32×32, padded to 64×32/,
  ],
];

for (const [what, [width, height], { resize, ...size }, expected, words] of SIZED) {
  Deno.test(`${what}, and one line says so`, async () => {
    await withPicture(gradient(width, height), async (image) => {
      const asked = resize === undefined ? { image } : { image, resize };
      const source = await openSource(asked, size, MODEL);
      assert.deepEqual([source.image.width, source.image.height], expected);
      assert.equal(source.notes.length, words === undefined ? 0 : 1);
      if (words === undefined) return;
      assert.match(source.notes[0]!.en, words);
      assert.match(source.notes[0]!.zh, /[\u4e00-\u9fff]/);
    });
  });
}

Deno.test("pixels that are not scaled stay bit for bit, in the middle", async () => {
  await withPicture(gradient(70, 50), async (image) => {
    const source = await openSource({ image }, {}, MODEL);
    assert.deepEqual(at(source.image, 0, 0), [3, 1, 0]);
    assert.deepEqual(at(source.image, 63, 47), [66, 48, 0]);
    assert.equal(source.mask, undefined);
    assert.match(source.hashes.image, /^[0-9a-f]{64}$/);
  });
});

Deno.test("room at the edges is drawn out, and marked with a little of the picture", async () => {
  await withPicture(gradient(64, 48), async (image) => {
    const source = await openSource({ image, expand: "left=20,top=16" }, {}, MODEL);
    // 20 becomes 32, a multiple of 16.
    assert.deepEqual([source.image.width, source.image.height], [96, 64]);
    assert.deepEqual(at(source.image, 0, 40), [0, 24, 0]);
    assert.deepEqual(at(source.image, 32 + 10, 16 + 7), [10, 7, 0]);
    const white = (column: number, row: number) => at(source.mask!, column, row)[0];
    assert.deepEqual([white(0, 63), white(39, 63), white(40, 63), white(95, 23)], [
      255,
      255,
      0,
      255,
    ]);
    assert.deepEqual([white(95, 24), white(95, 63)], [0, 0]);
    assert.match(source.notes[0]!.en, /expanded by left=32,top=16 to 96×64/);
  });
});

Deno.test("a mask goes the way of its picture, and must be of its size", async () => {
  await withPicture(gradient(70, 50), async (image, folder) => {
    const white: RgbImage = { ...gradient(70, 50) };
    for (let pixel = 0; pixel < 70 * 50; pixel++) {
      white.data.fill(pixel % 70 < 35 ? 255 : 0, 3 * pixel, 3 * pixel + 3);
    }
    const mask = `${folder}/mask.png`;
    await Deno.writeFile(mask, encodePng(white));
    const source = await openSource({ image, mask }, {}, MODEL);
    assert.deepEqual([source.mask!.width, source.mask!.height], [64, 48]);
    assert.deepEqual(at(source.mask!, 31, 5), [255, 255, 255]);
    assert.deepEqual(at(source.mask!, 32, 5), [0, 0, 0]);
    assert.match(source.hashes.mask!, /^[0-9a-f]{64}$/);
    await Deno.writeFile(mask, encodePng(gradient(50, 70)));
    await refused({ image, mask }, /is 50×70, but .* is 70×50/);
  });
});

Deno.test("what is transparent can be the mask, and otherwise shows white", async () => {
  const image = fixture("image/pillow_rgba.png");
  const masked = await openSource({ image, alphaMask: true }, {}, MODEL);
  const plain = await openSource({ image }, {}, MODEL);
  assert(masked.mask!.data.some((value) => value > 127));
  assert.equal(plain.mask, undefined);
  assert.deepEqual(masked.image, plain.image);
  await withPicture(gradient(32, 32), async (image) => {
    await refused({ image, alphaMask: true }, /nowhere transparent/);
  });
});

Deno.test("a mask that marks by its transparency alone is refused, with what to do", async () => {
  await withPicture(gradient(16, 16), async (image, folder) => {
    // Black with a hole, as drawing programs save it.
    const rows = new Uint8Array(16 * (1 + 4 * 16));
    for (let row = 0; row < 16; row++) {
      for (let column = 0; column < 8; column++) rows[row * 65 + 1 + 4 * column + 3] = 255;
    }
    const header = Uint8Array.of(0, 0, 0, 16, 0, 0, 0, 16, 8, 6, 0, 0, 0);
    const mask = `${folder}/hole.png`;
    await Deno.writeFile(mask, pngOf([["IHDR", header], ["IDAT", deflateSync(rows)]]));
    await refused({ image, mask }, /hole\.png is black where it is opaque.*Paint it white/);
  });
});

/** A PNG of chunks. */
function pngOf(chunks: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const parts = [...chunks, ["IEND", new Uint8Array()] as const].flatMap(([type, data]) => {
    const named = new Uint8Array([...new TextEncoder().encode(type), ...data]);
    const numbers = new DataView(new ArrayBuffer(8));
    numbers.setUint32(0, data.length);
    numbers.setUint32(4, crc32(named));
    return [new Uint8Array(numbers.buffer, 0, 4), named, new Uint8Array(numbers.buffer, 4)];
  });
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  return new Uint8Array([...signature, ...parts.flatMap((part) => [...part])]);
}

Deno.test("files that are gone, no pictures or too large are refused in one sentence", async () => {
  await withPicture(gradient(32, 32), async (image, folder) => {
    await Deno.writeTextFile(`${folder}/b.png`, "no picture");
    const huge = (await Deno.readFile(image)).slice();
    // The header's width and height: 30,000 each, with its checksum to match.
    await Deno.writeFile(`${folder}/c.png`, hugeHeader(huge));
    await Deno.writeFile(`${folder}/d.png`, (await Deno.readFile(image)).subarray(0, 60));
    await refused({ image: `${folder}/gone.png` }, /gone\.png/);
    await refused({ image: `${folder}/b.png` }, /b\.png/);
    await refused({ image: `${folder}/c.png` }, /30000×30000 pixels; at most/);
    await refused({ image: `${folder}/d.png` }, /d\.png/);
    await refused({ mask: image }, /mask needs a picture/);
    await refused({ expand: "left=1" }, /expand needs a picture/);
  });
});

async function refused(asked: AskedSource, words: RegExp): Promise<void> {
  await assert.rejects(openSource(asked, {}, MODEL), (error) => {
    assert(error instanceof RequestError, String(error));
    assert.match(error.message, words);
    assert.match(error.explain("zh"), /[\u4e00-\u9fff]/);
    return true;
  });
}

function hugeHeader(png: Uint8Array): Uint8Array {
  const view = new DataView(png.buffer, png.byteOffset);
  view.setUint32(16, 30_000);
  view.setUint32(20, 30_000);
  view.setUint32(29, crc32(png.subarray(12, 29)));
  return png;
}

Deno.test("the mask's place is cut out in the shape of what is drawn, and goes back there alone", async () => {
  await withPicture(gradient(96, 64), async (image, folder) => {
    const mask = new Uint8ClampedArray(3 * 96 * 64);
    // Columns 40…49 and rows 20…23.
    for (let row = 20; row < 24; row++) mask.fill(255, 3 * (row * 96 + 40), 3 * (row * 96 + 50));
    await Deno.writeFile(`${folder}/m.png`, encodePng({ data: mask, width: 96, height: 64 }));
    const asked = { image, mask: `${folder}/m.png`, onlyMasked: 3 };
    const size = { width: 64, height: 64 };
    const { surroundings, ...source } = await openSource(asked, size, MODEL);
    // 16 × 10 with three pixels around, grown to a square: from row 14 to 29.
    assert.deepEqual(surroundings!.place, { left: 37, top: 14, width: 16, height: 16 });
    assert.deepEqual([source.image.width, source.image.height], [64, 64]);
    const [red, green] = at(source.image, 32, 32) as [number, number];
    assert(Math.abs(red - 45) <= 1 && Math.abs(green - 22) <= 1, `${red}, ${green}`);

    const drawn = { ...size, data: new Uint8ClampedArray(3 * 64 * 64).fill(200) };
    const whole = putBack(drawn, surroundings!, { maskBlur: 0 });
    assert.deepEqual([whole.width, whole.height], [96, 64]);
    assert.deepEqual(at(whole, 40, 20), [200, 200, 200]);
    assert.deepEqual(at(whole, 49, 23), [200, 200, 200]);
    assert.deepEqual(at(whole, 39, 20), [39, 20, 0]);
    assert.deepEqual(at(whole, 50, 23), [50, 23, 0]);
    assert.deepEqual(at(whole, 45, 24), [45, 24, 0]);
    await assert.rejects(openSource({ ...asked, expand: "left=16" }, size, MODEL), /expand/);
    await assert.rejects(openSource({ image, onlyMasked: 3 }, size, MODEL), /needs a mask/);
  });
});
