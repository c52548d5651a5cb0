import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { gridCells, MOST_CELLS, parseGrid, promptGrid } from "../../src/studio/grid.ts";

const valuesOf = (text: string) =>
  parseGrid(text).axes.map(({ word, values }) => [word, ...values.map(({ text }) => text)]);

Deno.test("an axis takes a list, and white space or a semicolon separates axes", () => {
  assert.deepEqual(valuesOf("seed=1,2,3 steps=10, 20;guidance = 4.5"), [
    ["seed", "1", "2", "3"],
    ["steps", "10", "20"],
    ["guidance", "4.5"],
  ]);
  assert.deepEqual(valuesOf("seed＝1，２；steps=10-12"), [
    ["seed", "1", "2"],
    ["steps", "10", "11", "12"],
  ]);
});

Deno.test("ranges are those of AUTOMATIC1111's X/Y/Z plot", () => {
  // The examples of its documentation, "X/Y/Z plot" in its wiki's page Features.
  assert.deepEqual(valuesOf("steps=1-5"), [["steps", "1", "2", "3", "4", "5"]]);
  assert.deepEqual(valuesOf("steps=1-5 (+2)"), [["steps", "1", "3", "5"]]);
  assert.deepEqual(valuesOf("steps=10-5 (-3)"), [["steps", "10", "7"]]);
  assert.deepEqual(valuesOf("guidance=1-3 (+0.5)"), [["guidance", "1", "1.5", "2", "2.5", "3"]]);
  assert.deepEqual(valuesOf("steps=1-10 [5]"), [["steps", "1", "3", "5", "7", "10"]]);
  assert.deepEqual(valuesOf("guidance=0.0-1.0 [6]"), [
    ["guidance", "0", "0.2", "0.4", "0.6", "0.8", "1"],
  ]);
});

Deno.test("a range keeps every digit of a large seed", () => {
  assert.deepEqual(valuesOf("seed=18446744073709551614-18446744073709551615"), [
    ["seed", "18446744073709551614", "18446744073709551615"],
  ]);
});

Deno.test("a grid as it is written is read to the same grid", () => {
  for (
    const text of [
      "seed=-1,7 cfg_trunc=0.5-1.0 (+0.25)",
      'prompt="a, b|c \\| d|e \\"f\\" \\\\(g\\\\)" size=64,128x96',
      "scheduler=euler,heun raw=true,false",
      'system_prompt="You are, indeed, one.|"',
    ]
  ) {
    const { text: written, axes } = parseGrid(text);
    const again = parseGrid(written);
    assert.equal(again.text, written);
    const texts = (grid: typeof axes) => grid.map(({ values }) => values.map(({ text }) => text));
    assert.deepEqual(texts(again.axes), texts(axes));
  }
  const prompts = ["1girl, \\(a\\), red|blue", 'says "hi"'];
  const { text } = promptGrid(prompts);
  const cells = gridCells(parseGrid(text), { prompt: prompts[0]! });
  assert.deepEqual(cells.map(({ request }) => request.prompt), prompts);
});

Deno.test("the first axis changes fastest, and every other setting is shared", () => {
  const request = {
    prompt: "1girl",
    guidanceScale: 5,
    generator: { seed: 9, device: "cuda" },
  } as const;
  const cells = gridCells(parseGrid("seed=1,2 steps=10,20"), request);
  assert.deepEqual(cells.map(({ place }) => place), [[0, 0], [1, 0], [0, 1], [1, 1]]);
  assert.deepEqual(
    cells.map(({ request }) => [request.generator.seed, request.numInferenceSteps]),
    [[1, 10], [2, 10], [1, 20], [2, 20]],
  );
  for (const { request } of cells) {
    assert.equal(request.guidanceScale, 5);
    assert.equal(request.generator.device, "cuda");
  }
});

Deno.test("a random seed is the same wherever its column or the whole grid has it", () => {
  const column = gridCells(parseGrid("seed=-1,-1 steps=1,2"), { prompt: "" });
  const seeds = column.map(({ request }) => request.generator.seed);
  assert.deepEqual(seeds.slice(0, 2), seeds.slice(2));
  assert(seeds.every((seed) => seed !== -1));
  const open = gridCells(parseGrid("steps=1,2"), { prompt: "" });
  assert.equal(open[0]!.request.generator.seed, open[1]!.request.generator.seed);
});

Deno.test("values of a prompt take the place of the first one in it, wherever it stands", () => {
  const grid = parseGrid('prompt="red|dark blue" negative_prompt=bad,worst');
  const cells = gridCells(grid, { prompt: "red hair, red eyes", negativePrompt: "bad hands" });
  assert.deepEqual(cells.map(({ request }) => [request.prompt, request.negativePrompt]), [
    ["red hair, red eyes", "bad hands"],
    ["dark blue hair, dark blue eyes", "bad hands"],
    ["red hair, red eyes", "worst hands"],
    ["dark blue hair, dark blue eyes", "worst hands"],
  ]);
});

Deno.test("what is no grid is refused with the axis and the value, in both languages", () => {
  const cases: readonly [text: string, en: RegExp, zh: RegExp][] = [
    ["", /expected a setting and its values/, /应为设置及其取值/],
    ["1,2,3", /found "1,2,3"/, /1,2,3/],
    ["stpes=1", /no setting stpes\. Did you mean steps\?/, /没有 stpes.*steps/],
    ["sampler=euler", /Did you mean scheduler\?/, /scheduler/],
    ["steps=10,ten", /steps: a value is "ten"; expected a whole number/, /"ten"；应为/],
    ["steps=0-3", /steps: a value is "0"/, /"0"/],
    ["steps=1,,2", /steps: a value is ""/, /""/],
    ["scheduler=eular", /scheduler: a value is "eular"/, /"eular"/],
    ["size=64x64x64", /size: "64x64x64" is no size/, /64x64x64.*不是尺寸/],
    ["steps=1-5 (-1)", /"1-5 \(-1\)" has no value/, /没有值/],
    ["steps=1-5 (0)", /has no value/, /没有值/],
    ["seed=1 seed=2", /seed stands there twice/, /出现了两次/],
    ["size=64 width=32", /size stands there twice/, /出现了两次/],
    ['prompt="a|b', /never closed/, /没有闭合/],
    ["prompt=|b", /it is empty/, /是空的/],
    ["seed=1 steps=1 guidance=1 shift=1", /4 axes/, /4 个轴/],
    ["seed=1-33 steps=1-32", /1056 pictures/, /1056 张/],
    [`seed=0-${10n ** 19n}`, /10000000000000000001 pictures/, /10000000000000000001/],
    ["guidance=0-1 [999999]", /999999 pictures/, /999999/],
  ];
  for (const [text, en, zh] of cases) {
    assert.throws(() => parseGrid(text), (error: unknown) => {
      assert(error instanceof RequestError);
      assert.match(error.message, en);
      assert.match(error.explain("zh"), zh);
      return true;
    }, text);
  }
  assert.throws(
    () => gridCells(parseGrid("prompt=green|red"), { prompt: "1girl" }),
    /prompt: "green" does not stand in the prompt/,
  );
});

Deno.test("a grid may have as many pictures as are allowed, and no more", () => {
  assert.equal(gridCells(parseGrid("seed=1-32 steps=1-32"), { prompt: "" }).length, MOST_CELLS);
});
