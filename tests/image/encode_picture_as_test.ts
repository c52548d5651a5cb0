import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodePicture,
  encodePictureAs,
  type PictureFormat,
  pictureFormat,
  psnr,
  readPictureText,
  type RgbImage,
} from "../../src/image/mod.ts";

const FORMATS: readonly PictureFormat[] = ["png", "jpeg", "webp", "avif"];

/** Smooth, with a hard edge of saturated colours. */
const PICTURE: RgbImage = {
  data: Uint8ClampedArray.from({ length: 3 * 40 * 24 }, (_, index) => {
    const [x, y, channel] = [Math.floor(index / 3) % 40, Math.floor(index / 120), index % 3];
    return x < 20 ? 4 * x + 5 * y : channel === 0 ? 220 : 40 + 3 * y;
  }),
  width: 40,
  height: 24,
};
const PIXEL: RgbImage = { data: Uint8ClampedArray.of(9, 9, 9), width: 1, height: 1 };

for (const format of FORMATS) {
  Deno.test(`a picture comes back from ${format} as it was, or nearly`, async () => {
    const bytes = await encodePictureAs(PICTURE, format);
    assert.equal(pictureFormat(bytes), format);
    const { image, alpha } = await decodePicture(bytes);
    assert.equal(alpha, undefined);
    assert(psnr(image, PICTURE) > (format === "png" ? 1000 : 30), `${psnr(image, PICTURE)} dB`);
  });

  Deno.test(`texts of any Unicode come back from ${format}, in the same bytes each time`, async () => {
    const texts = fc.dictionary(
      fc.constantFrom("parameters", "newbie", "newbie-batch", "é ü"),
      fc.string({ unit: "binary" }).filter((text) => !text.includes("\0"))
        // Without a letter nothing shows the order of UTF-16's bytes.
        .map((text) => `Steps: ${text}`),
      { maxKeys: 4, noNullPrototype: true },
    );
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const bytes = await encodePictureAs(PIXEL, format, { text });
        const read = readPictureText(bytes);
        const found = Object.fromEntries(Object.keys(text).map((key) => [key, read.text[key]]));
        assert.deepEqual(found, text);
        assert(read.isWhole);
        assert.deepEqual(await encodePictureAs(PIXEL, format, { text }), bytes);
      }),
      { numRuns: format === "avif" ? 10 : 30 },
    );
  });

  Deno.test(`texts longer than a segment of JPEG come back from ${format}`, async () => {
    const text = { parameters: "猫".repeat(60_000), newbie: "x<&>".repeat(50_000) };
    const bytes = await encodePictureAs(PIXEL, format, { text });
    const read = readPictureText(bytes).text;
    assert.equal(read["parameters"], text.parameters);
    assert.equal(read["newbie"], text.newbie);
    assert.equal((await decodePicture(bytes)).image.width, 1);
  });
}

Deno.test("a picture that a format cannot hold is refused", async () => {
  const wide = { data: new Uint8ClampedArray(3 * 16_384), width: 16_384, height: 1 };
  await assert.rejects(() => encodePictureAs(wide, "webp"), /at most 16383 pixels/);
  await assert.rejects(() => encodePictureAs({ ...PIXEL, width: 2 }, "jpeg"), /2×1 holds 6 values/);
  await assert.rejects(() => encodePictureAs(PIXEL, "avif", { text: { a: "b\0" } }), /U\+0000/);
});
