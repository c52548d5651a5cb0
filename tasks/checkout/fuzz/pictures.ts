/** Pictures of every format and kind that is read, damaged anywhere. */
import { crc32 } from "node:zlib";
import { decodePicture, encodePictureAs, readPictureText } from "../../../src/image/mod.ts";
import { readForeignRecipe } from "../../../src/recipe/mod.ts";
import { mutateBytes } from "./mutate.ts";
import type { FuzzCase } from "./types.ts";

/** Small pictures of all kinds that Pillow writes: interlaced, animated, for print, turned, clear. */
const KINDS = new URL("../../../tests/fixtures/image/formats/", import.meta.url);

const SIDE = 16;
const FORMATS = ["png", "jpeg", "webp", "avif"] as const;
const TEXT = {
  parameters: "1girl, 初音ミク\nNegative prompt: blurry\nSteps: 20, Seed: 1, Size: 16x16",
  Comment: '{"prompt": "1girl", "steps": 28, "seed": 7}',
};

/** Each has to give its texts and its pixels, or to be told to be damaged. */
export async function pictures(): Promise<FuzzCase> {
  const image = { data: new Uint8ClampedArray(3 * SIDE * SIDE), width: SIDE, height: SIDE };
  const files: Uint8Array[] = await Promise.all(
    FORMATS.map((format) => encodePictureAs(image, format, { text: TEXT })),
  );
  // In one order, so that a seed repeats a run.
  const names = [...Deno.readDirSync(KINDS)].map(({ name }) => name).sort();
  for (const name of names.filter((name) => !name.endsWith(".json"))) {
    files.push(await Deno.readFile(new URL(name, KINDS)));
  }
  return async (dice) => {
    const bytes = mutateBytes(dice.pick(files), dice);
    // With a wrong checksum, nobody would look at what it stands behind.
    if (dice.roll(4) > 0) mendChecksums(bytes);
    readForeignRecipe(readPictureText(bytes).text);
    await decodePicture(bytes);
  };
}

const SIGNATURE_BYTES = 8;
/** A chunk's length and type before its data, and its checksum behind. */
const [LENGTH_BYTES, TYPE_BYTES, SUM_BYTES] = [4, 4, 4];

/** Gives the chunks of a PNG the checksums that fit what they hold. */
function mendChecksums(bytes: Uint8Array): void {
  if (bytes[0] !== 0x89) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = SIGNATURE_BYTES; at + LENGTH_BYTES <= bytes.length;) {
    const sum = at + LENGTH_BYTES + TYPE_BYTES + view.getUint32(at);
    if (sum + SUM_BYTES > bytes.length) return;
    view.setUint32(sum, crc32(bytes.subarray(at + LENGTH_BYTES, sum)));
    at = sum + SUM_BYTES;
  }
}
