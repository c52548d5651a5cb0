import assert from "node:assert/strict";
import type { RgbImage } from "../../src/image/mod.ts";
import { ContactSheet, sheetLayout } from "../../src/studio/contact_sheet.ts";
import { parseGrid, promptGrid } from "../../src/studio/grid.ts";

const plain = (value: number, width: number, height: number): RgbImage => ({
  data: new Uint8ClampedArray(3 * width * height).fill(value),
  width,
  height,
});

/** The rows and columns at which a colour stands, and how many pixels of it there are. */
function boxOf({ data, width }: RgbImage, value: number) {
  const places: number[] = [];
  for (let index = 0; index < data.length / 3; index++) {
    if (data[3 * index] === value && data[3 * index + 1] === value) places.push(index);
  }
  const columns = places.map((place) => place % width);
  const rows = places.map((place) => Math.floor(place / width));
  return { left: Math.min(...columns), top: Math.min(...rows), count: places.length };
}

Deno.test("pictures stand in columns by the first axis, in rows by the second, in sheets by the third", () => {
  const sheet = new ContactSheet(
    sheetLayout(parseGrid("seed=1,2,3 steps=1,2 guidance=1,2")),
    { width: 40, height: 30 },
  );
  assert.equal(sheet.scale, 1);
  for (let index = 0; index < 12; index++) sheet.add(index, plain(20 * index + 10, 40, 30));
  const boxes = Array.from({ length: 12 }, (_, index) => boxOf(sheet.image, 20 * index + 10));
  for (const [index, { left, top, count }] of boxes.entries()) {
    assert.equal(count, 40 * 30);
    const [column, row, block] = [index % 3, Math.floor(index / 3) % 2, Math.floor(index / 6)];
    assert.equal(left, boxes[column]!.left);
    assert.equal(top - boxes[3 * row]!.top, block * (boxes[6]!.top - boxes[0]!.top));
  }
  assert(boxes[1]!.left >= boxes[0]!.left + 40);
  assert(boxes[3]!.top >= boxes[0]!.top + 30);
  assert(boxes[6]!.top >= boxes[3]!.top + 30);
});

Deno.test("the labels are of the axes: above the columns, beside the rows, above each sheet", () => {
  const layout = sheetLayout(parseGrid("seed=1,2 scheduler=euler,heun steps=8,9"));
  assert.deepEqual(layout.columns, ["seed 1", "seed 2"]);
  assert.deepEqual(layout.rows, ["scheduler euler", "scheduler heun"]);
  assert.deepEqual(layout.blocks, ["steps 8", "steps 9"]);
  assert.deepEqual(layout.counts, [2, 2, 2]);
});

Deno.test("one axis is broken into rows, each picture with its own label", () => {
  const layout = sheetLayout(parseGrid("seed=1-7"));
  assert.deepEqual(layout.counts, [3, 3, 1]);
  assert.equal(layout.captions[6], "seed 7");
  const sheet = new ContactSheet(layout, { width: 64, height: 64 });
  const dark = () => sheet.image.data.filter((value) => value === 0).length;
  assert(dark() > 0);
});

Deno.test("what there are no letters for gets a number, and it is said what that stands for", () => {
  const layout = sheetLayout(parseGrid("prompt=red,蓝,crème"));
  assert.deepEqual(layout.captions, ["red", "prompt #2", "creme"]);
  assert.deepEqual(layout.replaced, { "prompt #2": "蓝" });
});

Deno.test("of long prompts the labels are what they differ in", () => {
  const prompts = ["red_hair", "blue_hair", "green_hair"].map((hair) =>
    `1girl, solo, ${hair}, smile, sitting, beach, blue_sky`
  );
  assert.deepEqual(sheetLayout(promptGrid(prompts)).captions, [
    "red_hair",
    "blue_hair",
    "green_hair",
  ]);
});

Deno.test("a sheet has at most 16 million pixels beside its labels, whatever the pictures are", () => {
  const layout = sheetLayout(parseGrid("seed=1-32 steps=1-32"));
  const { image, scale } = new ContactSheet(layout, { width: 1024, height: 1536 });
  assert(scale < 0.2);
  assert(image.width * image.height < 1.2 * 2 ** 24);
  const wide = new ContactSheet(sheetLayout(parseGrid("seed=1-1024 steps=1")), {
    width: 1024,
    height: 64,
  });
  assert(wide.image.width <= 21_000);
});

Deno.test("a picture that is smaller or larger than the others stands in the middle of its place", () => {
  const sheet = new ContactSheet(sheetLayout(parseGrid("seed=1,2 steps=1,2")), {
    width: 40,
    height: 40,
  });
  sheet.add(0, plain(10, 40, 40));
  sheet.add(1, plain(30, 20, 40));
  sheet.add(2, plain(50, 80, 40));
  const [whole, narrow, large] = [10, 30, 50].map((value) => boxOf(sheet.image, value));
  assert.equal(narrow!.left, whole!.left + 44 + 10);
  assert.equal(narrow!.count, 20 * 40);
  assert.equal(large!.count, 40 * 20);
});
