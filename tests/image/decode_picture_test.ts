/** Pictures of every kind, with the pixels of Pillow: tests/reference/picture_formats.py. */
import assert from "node:assert/strict";
import { decodePicture, ImageError, readPictureText } from "../../src/image/mod.ts";
import { fixture, readJson } from "../_fixtures.ts";

interface Expected {
  readonly pictures: Readonly<
    Record<string, {
      readonly width: number;
      readonly height: number;
      readonly rgb: string;
      readonly alpha?: string;
      /** How far a byte may be off, where decoders of lossy formats round differently. */
      readonly tolerance: number;
    }>
  >;
  readonly texts: { readonly parameters: string; readonly graph: string };
}

const { pictures, texts } = await readJson<Expected>(fixture("image/formats/expected.json"));
const bytesOf = (name: string) => Deno.readFile(fixture(`image/formats/${name}`));

function assertNear(found: Uint8ClampedArray, expected: string, tolerance: number, name: string) {
  const bytes = Uint8Array.fromBase64(expected);
  assert.equal(found.length, bytes.length, name);
  const worst = bytes.reduce((most, byte, at) => Math.max(most, Math.abs(byte - found[at]!)), 0);
  assert(worst <= tolerance, `${name}: a byte is off by ${worst}`);
}

for (const ending of ["png", "jpg", "webp", "avif"]) {
  Deno.test(`every kind of .${ending} decodes to Pillow's pixels, the right way up`, async () => {
    const names = Object.keys(pictures).filter((name) => name.endsWith(ending));
    assert(names.length > 5);
    for (const name of names) {
      const { width, height, rgb, alpha, tolerance } = pictures[name]!;
      const decoded = await decodePicture(await bytesOf(name));
      assert.deepEqual([decoded.image.width, decoded.image.height], [width, height], name);
      assertNear(decoded.image.data, rgb, tolerance, name);
      if (alpha === undefined) assert.equal(decoded.alpha, undefined, name);
      else assertNear(decoded.alpha!, alpha, tolerance, `alpha of ${name}`);
    }
  });
}

Deno.test("a file that is cut short is refused with one error in both languages", async () => {
  for (const name of ["orientation_1.jpg", "progressive.jpg", "lossy.webp", "orientation_1.avif"]) {
    const bytes = await bytesOf(name);
    for (const part of [0.3, 0.6, 0.9, 0.99]) {
      const cut = bytes.subarray(0, Math.floor(part * bytes.length));
      await assert.rejects(() => decodePicture(cut), (error) => {
        assert(error instanceof ImageError, `${name} at ${part}: ${error}`);
        assert.match(error.explain("zh"), /文件/);
        return true;
      });
    }
  }
});

Deno.test("a file of another kind, an animation, and colours for print are refused by name", async () => {
  const others: readonly (readonly [RegExp, string])[] = [
    [/^ImageError: This is GIF, .*PNG, JPEG, WebP or AVIF/, "GIF89a"],
    [/This is BMP,/, "BM\x36\0"],
    [/This is TIFF,/, "II*\0"],
    [/This is HEIC,/, "\0\0\0\x18ftypheic"],
    [/This is JPEG XL,/, "\0\0\0\x0cJXL "],
    [/The file is empty\./, ""],
    [/These 5 bytes are no PNG/, "hello"],
  ];
  for (const [words, start] of others) {
    const bytes = Uint8Array.from(start, (character) => character.charCodeAt(0));
    await assert.rejects(() => decodePicture(bytes), words);
    assert.throws(() => readPictureText(bytes), words);
  }
  const animated = await bytesOf("animated.webp");
  await assert.rejects(
    () => decodePicture(animated),
    /^ImageError: This WebP cannot be read: it is animated/,
  );
  const printed = await bytesOf("cmyk.jpg");
  await assert.rejects(
    () => decodePicture(printed),
    /^ImageError: This JPEG cannot be read: its colours are CMYK/,
  );
  const usual = await bytesOf("orientation_1.jpg");
  const frame = usual.findIndex((byte, at) => byte === 0xff && usual[at + 1] === 0xc0);
  // Lossless, arithmetic coding, twelve bits: T.81's table of frames, and the precision behind it.
  for (const [at, byte] of [[1, 0xc3], [1, 0xc9], [4, 12]] as const) {
    const special = usual.slice();
    special[frame + at] = byte;
    await assert.rejects(() => decodePicture(special), (error) => {
      assert(error instanceof ImageError);
      assert.match(
        error.message,
        /^This JPEG cannot be read: it is of a kind for special purposes/,
      );
      assert.match(error.explain("zh"), /特殊用途/);
      return true;
    });
  }
});

Deno.test("a header that states too many pixels is refused before anything is decoded", async () => {
  const huge: Readonly<Record<string, (bytes: Uint8Array<ArrayBuffer>, view: DataView) => void>> = {
    // Height and width stand behind the marker, the length and the depth.
    "orientation_1.jpg": (bytes, view) => {
      const frame = bytes.findIndex((byte, at) => byte === 0xff && bytes[at + 1] === 0xc0);
      view.setUint16(frame + 5, 20_000);
      view.setUint16(frame + 7, 20_000);
    },
    "orientation_2.webp": (bytes) => bytes.set([0xff, 0x3f, 0, 0xff, 0x3f, 0], 24),
    "orientation_1.avif": (bytes, view) => {
      const ispe = String.fromCharCode(...bytes).indexOf("ispe");
      view.setUint32(ispe + 8, 20_000);
      view.setUint32(ispe + 12, 20_000);
    },
    "type2_8bit.png": (_, view) => {
      view.setUint32(16, 20_000);
      view.setUint32(20, 20_000);
    },
  };
  for (const [name, change] of Object.entries(huge)) {
    const bytes = await bytesOf(name);
    change(bytes, new DataView(bytes.buffer));
    // The checksum of PNG's header is told first.
    const reason = name.endsWith("png") ? /checksum/ : /at most 67108864/;
    await assert.rejects(() => decodePicture(bytes), reason, name);
  }
});

Deno.test("texts in EXIF and XMP are read as piexif and Pillow wrote them", async () => {
  for (const name of ["a1111.jpg", "a1111.webp", "a1111.avif", "little.jpg"]) {
    const { text, isWhole } = readPictureText(await bytesOf(name));
    assert.equal(text["exif:UserComment"], texts.parameters, name);
    assert(isWhole, name);
  }
  const { text } = readPictureText(await bytesOf("comfyui.webp"));
  assert.equal(text["exif:Model"], `prompt:${texts.graph}`);
  for (const ending of ["jpg", "webp", "avif"]) {
    const { text } = readPictureText(await bytesOf(`xmp.${ending}`));
    assert.equal(text["xmp:dc:description"], "a & b", ending);
  }
});

Deno.test("texts are read from files that are cut short, which are told from whole ones", async () => {
  const png = await Deno.readFile(fixture("image/pillow_rgb.png"));
  const whole = readPictureText(png);
  assert.equal(whole.isWhole, true);
  const cut = readPictureText(png.subarray(0, png.length - 30));
  assert.deepEqual(cut.text, whole.text);
  assert.equal(cut.isWhole, false);
  for (const name of ["a1111.jpg", "a1111.webp"]) {
    const bytes = await bytesOf(name);
    const { text, isWhole } = readPictureText(bytes.subarray(0, bytes.length - 20));
    assert.equal(isWhole, false, name);
    if (name.endsWith("jpg")) assert.equal(text["exif:UserComment"], texts.parameters);
  }
});
