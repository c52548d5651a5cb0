/**
 * What a terminal would show: xterm.js reads the half-blocks, sixel's own decoder the sixels, and
 * the PNGs in the other two protocols are read back.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import xterm from "@xterm/headless";
import { Decoder } from "sixel";
import { decodePng, type RgbImage } from "../../src/image/mod.ts";
import { moveUp, renderPicture } from "../../src/terminal/mod.ts";

type Rgb = readonly number[];

function picture(width: number, height: number, color: (x: number, y: number) => Rgb): RgbImage {
  const data = new Uint8ClampedArray(3 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data.set(color(x, y), 3 * (y * width + x));
  }
  return { data, width, height };
}

const fill = (color: Rgb) => picture(8, 8, () => color);

/** A terminal to which text was written, of 40×12 cells. */
async function terminal(text: string): Promise<xterm.Terminal> {
  const screen = new xterm.Terminal({ cols: 40, rows: 12, allowProposedApi: true });
  await new Promise<void>((resolve) => screen.write(text, resolve));
  return screen;
}

function cellAt(screen: xterm.Terminal, column: number, row: number): xterm.IBufferCell {
  return screen.buffer.active.getLine(row)!.getCell(column)!;
}

const bytesOf = (color: number): Rgb => [color >> 16, (color >> 8) & 255, color & 255];

/** The two pixels of a cell. */
function pixelsAt(screen: xterm.Terminal, column: number, row: number): { upper: Rgb; lower: Rgb } {
  const cell = cellAt(screen, column, row);
  assert.equal(cell.getChars(), "▀");
  assert(cell.isFgRGB() && cell.isBgRGB());
  return { upper: bytesOf(cell.getFgColor()), lower: bytesOf(cell.getBgColor()) };
}

Deno.test("half-blocks show each pixel where it belongs, in its colour", async () => {
  const color = (x: number, y: number) => [10 * x, 20 * y, 255 - x * y];
  // Each pixel of the terminal is an area of 2×2.
  const image = picture(20, 16, (x, y) => color(Math.floor(x / 2), Math.floor(y / 2)));
  const { text, columns, rows } = renderPicture(image, "blocks", { columns: 10 });
  assert.deepEqual([columns, rows], [10, 4]);
  const screen = await terminal(text);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const { upper, lower } = pixelsAt(screen, column, row);
      assert.deepEqual(upper, color(column, 2 * row));
      assert.deepEqual(lower, color(column, 2 * row + 1));
    }
  }
  assert(cellAt(screen, columns, 0).isFgDefault(), "nothing stands beside the picture");
  assert(cellAt(screen, 0, rows).isBgDefault(), "nothing stands below it");
});

Deno.test("a pixel is the mean of the area that it covers, parts of pixels included", async () => {
  // Three pixels become two: the middle one belongs to both by half, a third of each area.
  const values = [0, 90, 255];
  const image = picture(3, 3, (x) => [values[x]!, values[x]!, values[x]!]);
  const screen = await terminal(renderPicture(image, "blocks", { columns: 2 }).text);
  assert.deepEqual(pixelsAt(screen, 0, 0).upper, [30, 30, 30]);
  assert.deepEqual(pixelsAt(screen, 1, 0).lower, [200, 200, 200]);
});

/** xterm's palette from 16 on, as its 256colres.pl makes it: a cube of six levels, then greys. */
function colorOf256(index: number): Rgb {
  if (index >= 232) return Array(3).fill(8 + 10 * (index - 232));
  const digits = [
    Math.floor((index - 16) / 36),
    Math.floor((index - 16) / 6) % 6,
    (index - 16) % 6,
  ];
  return digits.map((digit) => digit === 0 ? 0 : 55 + 40 * digit);
}

const distance = (a: Rgb, b: Rgb) => a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);

Deno.test("with 256 colours each pixel has the nearest of them", async () => {
  const palette = Array.from({ length: 240 }, (_, index) => colorOf256(16 + index));
  const bytes = randomBytes(3 * 30 * 20);
  const image = { data: new Uint8ClampedArray(bytes), width: 30, height: 20 };
  const { text } = renderPicture(image, "blocks", { columns: 30, colors: "256" });
  const screen = await terminal(text);
  for (let row = 0; row < 10; row++) {
    for (let column = 0; column < 30; column++) {
      const cell = cellAt(screen, column, row);
      assert(cell.isFgPalette() && cell.isBgPalette());
      for (const [index, y] of [[cell.getFgColor(), 2 * row], [cell.getBgColor(), 2 * row + 1]]) {
        const pixel = [...bytes.subarray(3 * (y! * 30 + column), 3 * (y! * 30 + column) + 3)];
        const least = Math.min(...palette.map((color) => distance(pixel, color)));
        assert.equal(distance(pixel, colorOf256(index!)), least, `${pixel} became ${index}`);
      }
    }
  }
});

Deno.test("without colours there are shades, and no escape codes at all", () => {
  const shade = (value: number) =>
    renderPicture(fill([value, value, value]), "blocks", { columns: 2, colors: "none" }).text;
  assert.equal(shade(0), "  \r\n");
  assert.equal(shade(128), "▒▒\r\n");
  assert.equal(shade(255), "██\r\n");
  // Rec. 709: green is the brightest of the three.
  const of = (color: Rgb) =>
    renderPicture(fill(color), "blocks", { columns: 1, colors: "none" }).text[0];
  assert.deepEqual([of([0, 0, 255]), of([255, 0, 0]), of([0, 255, 0])], [" ", "░", "▓"]);
});

Deno.test("a picture keeps its proportions in cells twice as high as wide", () => {
  const cells = (width: number, height: number, columns: number, rows?: number) => {
    const size = renderPicture(picture(width, height, () => [0, 0, 0]), "blocks", {
      columns,
      rows,
    });
    return [size.columns, size.rows];
  };
  assert.deepEqual(cells(64, 64, 20), [20, 10]);
  assert.deepEqual(cells(64, 128, 20), [20, 20]);
  assert.deepEqual(cells(128, 64, 20), [20, 5]);
  assert.deepEqual(cells(64, 64, 20, 5), [10, 5]);
  assert.deepEqual(cells(1000, 1, 20), [20, 1]);
  assert.deepEqual(cells(1, 1000, 20, 10), [1, 10]);
  const square = renderPicture(fill([0, 0, 0]), "blocks", {
    columns: 20,
    cell: { width: 8, height: 8 },
  });
  assert.equal(square.rows, 20);
});

Deno.test("kitty's protocol carries the picture as a PNG in pieces", () => {
  const bytes = randomBytes(3 * 64 * 48);
  const image = { data: new Uint8ClampedArray(bytes), width: 64, height: 48 };
  const { text, columns, rows } = renderPicture(image, "kitty", { columns: 32, id: 7 });
  assert.deepEqual([columns, rows], [32, 12]);
  // deno-lint-ignore no-control-regex -- Escape codes are what is read here.
  const pieces = [...text.matchAll(/\x1b_G([^;]*);([^\x1b]*)\x1b\\/g)];
  assert(pieces.length > 2);
  const keys = pieces.map(([, keys]) =>
    Object.fromEntries(keys!.split(",").map((pair) => pair.split("=")))
  );
  const first = { a: "T", f: "100", q: "2", C: "1", c: "32", r: "12", i: "7", m: "1" };
  assert.deepEqual(keys[0], first);
  keys.slice(1).forEach((piece, index) => {
    assert.deepEqual(piece, { m: index + 2 === keys.length ? "0" : "1" });
  });
  for (const [, , payload] of pieces) assert(payload!.length <= 4096);
  // A piece's length must be a multiple of four, except the last one's.
  for (const [, , payload] of pieces.slice(0, -1)) assert.equal(payload!.length % 4, 0);
  const png = Uint8Array.fromBase64(pieces.map(([, , payload]) => payload).join(""));
  assert.deepEqual(decodePng(png).image, image);
});

Deno.test("kitty's small picture is one last piece, and without a number it stays", () => {
  const { text } = renderPicture(fill([1, 2, 3]), "kitty", { columns: 4 });
  // deno-lint-ignore no-control-regex -- Escape codes are what is read here.
  const [piece, ...more] = [...text.matchAll(/\x1b_G([^;]*);/g)];
  assert.equal(more.length, 0);
  assert.match(piece![1]!, /,m=0$/);
  assert.doesNotMatch(piece![1]!, /\bi=/);
});

/** iTerm2's keys and file. */
function readITerm2(text: string): { keys: Record<string, string>; file: Uint8Array } {
  // deno-lint-ignore no-control-regex -- Escape codes are what is read here.
  const [, keys, payload] = /\x1b\]1337;File=([^:]*):([^\x07]*)\x07/.exec(text)!;
  return {
    keys: Object.fromEntries(keys!.split(";").map((pair) => pair.split("="))),
    file: Uint8Array.fromBase64(payload!),
  };
}

Deno.test("iTerm2's protocol carries the picture as a PNG", () => {
  const image = picture(30, 20, (x, y) => [x, y, x * y % 256]);
  const { keys, file } = readITerm2(renderPicture(image, "iterm2", { columns: 12 }).text);
  assert.deepEqual(keys, {
    inline: "1",
    size: `${file.length}`,
    width: "12",
    height: "4",
    preserveAspectRatio: "1",
  });
  assert.deepEqual(decodePng(file).image, image);
});

Deno.test("a picture that is too long for iTerm2 is sent smaller", () => {
  const size = 768;
  const noise = {
    data: new Uint8ClampedArray(randomBytes(3 * size ** 2)),
    width: size,
    height: size,
  };
  const { text } = renderPicture(noise, "iterm2", { columns: 40 });
  // https://iterm2.com/documentation-images.html: at most 1,048,576 bytes a sequence.
  assert(text.length < 1_048_576);
  assert.equal(decodePng(readITerm2(text).file).image.width, size / 2);
});

/** What a sixel terminal draws. */
function readSixel(text: string): RgbImage {
  // deno-lint-ignore no-control-regex -- Escape codes are what is read here.
  const [, body] = /\x1bP[\d;]*q([^\x1b]*)\x1b\\/.exec(text)!;
  const decoder = new Decoder();
  decoder.init(0, null, 256, true);
  decoder.decodeString(body!);
  const { width, height, data8 } = decoder;
  return picture(width, height, (x, y) => [...data8.subarray(4 * (y * width + x)).subarray(0, 3)]);
}

Deno.test("sixels show each area where it belongs, in its colour", () => {
  const color = (x: number, y: number) => [x * 60, y * 80, 255 - x * 60];
  const image = picture(4, 4, color);
  const { text, columns, rows } = renderPicture(image, "sixel", {
    columns: 8,
    cell: { width: 5, height: 10 },
  });
  assert.deepEqual([columns, rows], [8, 4]);
  const shown = readSixel(text);
  assert.deepEqual([shown.width, shown.height], [40, 40]);
  for (let y = 0; y < 40; y++) {
    for (let x = 0; x < 40; x++) {
      const expected = color(Math.floor(x / 10), Math.floor(y / 10));
      const found = shown.data.subarray(3 * (y * 40 + x), 3 * (y * 40 + x) + 3);
      // Sixel's colours are per cent, so a byte may be off by 255 / 200, and by rounding.
      expected.forEach((value, channel) => assert(Math.abs(found[channel]! - value) <= 2));
    }
  }
});

for (const protocol of ["kitty", "iterm2", "sixel", "blocks"] as const) {
  Deno.test(`${protocol}: the cursor ends below the picture, and a step is drawn over the last`, async () => {
    const options = { columns: 12, id: 5 };
    const step = renderPicture(fill([1, 1, 1]), protocol, options);
    const last = renderPicture(fill([2, 2, 2]), protocol, options);
    assert.deepEqual([step.rows, last.rows], [6, 6]);
    for (const linesBefore of [0, 3, 30]) {
      const text = "before\r\n".repeat(linesBefore) + step.text + moveUp(step.rows) + last.text +
        "after";
      const screen = await terminal(text);
      const { active } = screen.buffer;
      const lines = Array.from(
        { length: active.length },
        (_, row) => active.getLine(row)!.translateToString(true),
      );
      const place = lines.indexOf("after");
      assert.equal(place, linesBefore + step.rows, `after ${linesBefore} lines`);
      assert.equal(lines.filter((line) => line === "before").length, linesBefore);
      if (protocol === "blocks") {
        for (let row = linesBefore; row < place; row++) {
          assert.deepEqual(pixelsAt(screen, 0, row), { upper: [2, 2, 2], lower: [2, 2, 2] });
        }
      } else {
        assert(lines.slice(linesBefore, place).every((line) => line === ""), "no stray characters");
      }
    }
  });
}

Deno.test("no terminal, no picture; no room is an error", () => {
  assert.deepEqual(renderPicture(fill([0, 0, 0]), "none", { columns: 10 }), {
    text: "",
    columns: 0,
    rows: 0,
  });
  assert.throws(() => renderPicture(fill([0, 0, 0]), "blocks", { columns: 0 }), RangeError);
  assert.throws(() => renderPicture(fill([0, 0, 0]), "kitty", { columns: 9, rows: 0 }), RangeError);
  assert.throws(() => renderPicture(fill([0, 0, 0]), "kitty", { columns: NaN }), RangeError);
});
