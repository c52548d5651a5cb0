import assert from "node:assert/strict";
import {
  drawableText,
  drawText,
  lineHeight,
  type RgbImage,
  textWidth,
} from "../../src/image/mod.ts";

function blank(width: number, height: number): RgbImage {
  return { data: new Uint8ClampedArray(3 * width * height).fill(255), width, height };
}

/** A picture as lines of marks. */
const marks = ({ data, width, height }: RgbImage): string[] =>
  Array.from(
    { length: height },
    (_, y) =>
      Array.from({ length: width }, (_, x) => data[3 * (y * width + x)] === 0 ? "#" : ".").join(""),
  );

Deno.test("a letter has the form that people know", () => {
  const image = blank(5, 7);
  drawText(image, "T", { left: 0, top: 0 });
  assert.deepEqual(marks(image), ["#####", ..."......".split("").map(() => "..#..")]);
});

Deno.test("a larger scale draws every dot as a square", () => {
  const [small, large] = [blank(12, 9), blank(24, 18)];
  drawText(small, "g7", { left: 1, top: 1 });
  drawText(large, "g7", { left: 2, top: 2, scale: 2 });
  const doubled = marks(small).flatMap((row) => {
    const wide = row.replaceAll(/./g, "$&$&");
    return [wide, wide];
  });
  assert.deepEqual(marks(large), doubled);
});

Deno.test("all of ASCII can be drawn, each character differently", () => {
  const forms = new Set<string>();
  for (let code = 0x21; code < 0x7f; code++) {
    const letter = String.fromCharCode(code);
    assert.equal(drawableText(letter), letter);
    const image = blank(5, 8);
    drawText(image, letter, { left: 0, top: 0 });
    forms.add(marks(image).join("\n"));
  }
  assert.equal(forms.size, 94);
});

Deno.test("text stays inside of its width and of the picture", () => {
  const width = textWidth("seed 42", 2);
  const image = blank(width + 10, lineHeight(2));
  drawText(image, "seed 42", { left: 0, top: 0, scale: 2 });
  assert(marks(image).every((row) => !row.slice(width).includes("#")));
  drawText(image, "far", { left: -3, top: -3, scale: 4 });
  drawText(image, "far", { left: image.width - 2, top: 0, scale: 4 });
});

Deno.test("accents and full-width characters become letters that there are", () => {
  assert.equal(drawableText("Crème brûlée  ＡＢＣ１２３ 256×384"), "Creme brulee ABC123 256x384");
  assert.equal(drawableText("初音ミク"), undefined);
});
