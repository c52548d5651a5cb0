/** Expected combinations are those of the Python package dynamicprompts: tests/reference/templates.py. */
import assert from "node:assert/strict";
import {
  expandCombinations,
  expandTemplate,
  isTemplate,
  loadWildcards,
  MOST_COMBINATIONS,
  parseTemplate,
  TemplateError,
} from "../../src/templates/mod.ts";
import { fixture, readJson } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";
import { assertQuick } from "../_processor_time.ts";

const wildcards = await loadWildcards(fixture("templates/wildcards"));
const combinations = await readJson<Record<string, string[]>>(
  fixture("templates/combinations.json"),
);

const all = (template: string) => expandCombinations(template, { seed: 0, wildcards });
const draw = (template: string, seed: number | bigint = 0) =>
  expandTemplate(template, { seed, wildcards });

Deno.test("all combinations of a template are those of dynamicprompts, in its order", () => {
  assert(Object.keys(combinations).length > 60);
  for (const [template, expected] of Object.entries(combinations)) {
    assert.deepEqual(all(template), expected, template);
  }
});

Deno.test("what is drawn by chance is one of the combinations, and each of them comes", () => {
  for (const [template, expected] of Object.entries(combinations)) {
    const isRepeating = template.includes("@") || template.includes("a|a");
    if (isRepeating || expected.length > 12) continue;
    const drawn = new Set(Array.from({ length: 300 }, (_, seed) => draw(template, seed)));
    assert.deepEqual([...drawn].sort(), [...new Set(expected)].sort(), template);
  }
});

Deno.test("the same seed draws the same, with all 64 bits of it", () => {
  const template = Array.from({ length: 20 }, () => "{a|b|c|d}").join("");
  assert.equal(draw(template, 5), draw(template, 5n));
  const seeds = [0n, 1n, 1n << 32n, 1n << 63n, (1n << 64n) - 1n];
  assert.equal(new Set(seeds.map((seed) => draw(template, seed))).size, seeds.length);
});

Deno.test("weights decide how often an option is drawn", () => {
  const drawn = Array.from({ length: 4000 }, (_, seed) => draw("{3::a|b|0::c}", seed));
  const share = drawn.filter((text) => text === "a").length / drawn.length;
  // Three quarters; the deviation of 4000 draws is 0.0068.
  assert(Math.abs(share - 0.75) < 0.03, `${share}`);
  assert(!drawn.includes("c"));
});

Deno.test("chance inside of combinations, and turns by chance, go as they are marked", () => {
  const mixed = all("{~a|b|c} {d|e}");
  assert.deepEqual(mixed.map((text) => text.slice(2)), ["d", "e"]);
  const turns = [0, 1, 2].map((index) => expandTemplate("{@a|b}", { seed: 9, index }));
  assert.deepEqual(turns, ["a", "b", "a"]);
});

// dynamicprompts 0.31 chooses such a variable once for all combinations, though its SYNTAX.md lists
// one prompt for each value; and it lets `?=` replace a value that the same template has set.
Deno.test("a variable that is chosen once has one value in each prompt", () => {
  assert.deepEqual(all("${s=!{a|b}}${s} ${s}"), ["a a", "b b"]);
  assert.match(draw("${s=!{a|b|c|d}}${s}${s}${s}", 3), /^(.)\1\1$/);
  assert.deepEqual(all("${s=b}${s?=a}${s}"), ["b"]);
  assert.deepEqual(all("${s=b}__scene__").length, 4);
});

Deno.test("text that only looks like a template stays as it is", () => {
  const kept = [
    "1girl, >__<, ^__^",
    "100% cotton, costs 5$",
    "saber_(fate), \\(smile\\)",
    "tom &amp; jerry &#39;s",
    "a_b__c, d",
    "colour: #ff0000",
  ];
  for (const text of kept) {
    assert.equal(draw(text), text);
    assert(!isTemplate(text), text);
  }
  assert.equal(draw("\\{a\\|b\\} \\_\\_x\\_\\_ 5\\$ \\#1"), "{a|b} __x__ 5$ #1");
});

Deno.test("comments are left out, and only comments", () => {
  assert.equal(
    draw("  # who\n{miku} # hair next\n#1\nblue &#39; #f00"),
    "  \nmiku \n\nblue &#39; #f00",
  );
});

// What the package makes of the same templates.
Deno.test("comments may stand before a weight, and what is empty brings no separator", () => {
  assert.deepEqual(all("{\n  # most\n  0.6::A\n  |\n  # few\n  0.4::B\n}"), ["A\n  ", "B\n"]);
  assert.deepEqual(all("{2$$ and $$a|{0-1$$b}}"), ["a", "a and b", "a", "b and a"]);
  for (let seed = 0; seed < 20; seed++) {
    assert.doesNotMatch(draw("{2$$, $$a|{0-1$$b}}", seed), /^,|, $/);
  }
});

Deno.test("a template is told from JSON and from plain prompts", () => {
  for (const text of ["{a|b}", "__colour__", "${x=1}", "<n>{a|b}</n>", "__sub/**__", "__~a_b__"]) {
    assert(isTemplate(text), text);
  }
  const json = [
    '{"image": {"tags": "a"}}',
    ' {\n "a": 1}',
    'You are an artist. <Prompt Start>\n{"image": {"tags": "a"}}',
  ];
  assert(isTemplate('{"a"|"b"}'));
  for (const text of [...json, "1girl", "\\{a\\}", ""]) {
    assert(!isTemplate(text), text);
  }
});

/** What is wrong with a template, and the place. */
function failure(work: () => unknown): TemplateError {
  try {
    work();
  } catch (error) {
    assert(error instanceof TemplateError, String(error));
    assert.notEqual(error.explain("zh"), error.message);
    return error;
  }
  throw new assert.AssertionError({ message: "expected an error" });
}

Deno.test("every fault has its place and says what to do", () => {
  const cases: readonly [template: string, line: number, column: number, message: RegExp][] = [
    ["a {b|c", 1, 3, /\{ is never closed\. Close it with \}/],
    ["a\n日本 {b|{c}", 2, 4, /never closed/],
    ["${x=a", 1, 1, /\$\{ is never closed/],
    ["${ }", 1, 1, /expected the name of a variable/],
    ["${x y}", 1, 5, /expected \}, : or = after the variable x/],
    ["%{a ... b}", 1, 1, /expected \$\$/],
    ["{0::a|0::b}", 1, 1, /all their weights are 0/],
    ["x ${x}", 1, 3, /the variable x has no value here/],
    ["${x=${x}}${x}", 1, 5, /made of itself/],
    ["a, __color__", 1, 4, /no wildcard __color__ in .*Did you mean __colour__\?/],
    ["{".repeat(33) + "}".repeat(33), 1, 33, /more than 32 deep/],
  ];
  for (const [template, line, column, message] of cases) {
    const error = failure(() => draw(template));
    assert.match(error.message, message, template);
    assert.deepEqual([error.line, error.column], [line, column], template);
    assert.deepEqual(failure(() => all(template)).message, error.message, template);
  }
});

Deno.test("templates that have no end, too many or no combinations are refused", async () => {
  const many = Array.from({ length: 6 }, () => "{0|1|2|3|4|5|6|7|8|9}").join("");
  assert.match(failure(() => all(many)).message, /more than 10000 combinations/);
  const first = expandCombinations(many, { seed: 0, limit: 3 });
  assert.deepEqual(first, ["000000", "000001", "000002"]);
  const just = expandCombinations(many.slice(21 * 2), { seed: 0 });
  assert.equal(just.length, MOST_COMBINATIONS);
  assert.match(
    failure(() => all("{2$$__drink__|__drink__|__drink__}{2$$a|a}")).message,
    /no prompt/,
  );
  await inTempFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/loop.txt`, "x __loop__\n");
    await Deno.writeTextFile(`${folder}/a.txt`, "__b__\n");
    await Deno.writeTextFile(`${folder}/b.txt`, "\n__a__\n");
    await Deno.writeTextFile(`${folder}/bad.txt`, "fine\n{never\n");
    await Deno.writeTextFile(`${folder}/wide.txt`, "__w2__,".repeat(1000));
    await Deno.writeTextFile(`${folder}/w2.txt`, "__w3__,".repeat(1000));
    await Deno.writeTextFile(`${folder}/w3.txt`, "y");
    const loops = await loadWildcards(folder);
    const options = { seed: 0, wildcards: loops };
    for (const name of ["loop", "a"]) {
      const error = failure(() => expandTemplate(`__${name}__`, options));
      assert.match(error.message, /use each other without an end: .*__(loop|a|b)__/);
      assert.match(error.message, new RegExp(`^${folder}/(loop|a|b).txt, line [12], column`));
      failure(() => expandCombinations(`__${name}__`, options));
    }
    const bad = failure(() => expandTemplate("__bad__", options));
    assert(bad.message.startsWith(`${folder}/bad.txt, line 2, column 1: `));
    assert.equal(bad.file, `${folder}/bad.txt`);
    assert.match(
      failure(() => expandTemplate("__wide__", options)).message,
      /beyond 65536|20000/,
    );
  });
});

Deno.test("reading a template takes time in proportion to its length", () => {
  const hostile = [
    "{",
    "{a|",
    "{2$$a",
    "${x=",
    "__a",
    "__a(",
    "__a(b=",
    "_",
    "\\{",
    "{a}",
    "# ",
    "%{a$$",
  ];
  for (const part of hostile) {
    const text = part.repeat(Math.floor((1 << 16) / part.length));
    assertQuick(part, () => {
      try {
        parseTemplate(text);
      } catch (error) {
        assert(error instanceof TemplateError, String(error));
      }
      isTemplate(text);
    });
  }
  assert.match(failure(() => parseTemplate("a".repeat((1 << 16) + 1))).message, /at most 65536/);
});

Deno.test("a wildcard whose name is drawn takes its values and its place from one drawing", () => {
  const value = (text: string) => ({ text, weight: 1, file: "x", line: 1 });
  const lists: Readonly<Record<string, string[]>> = { a: ["from a"], b: ["from b"], c: ["__c__"] };
  const asked: string[] = [];
  const wildcards = {
    names: Object.keys(lists),
    folder: "wildcards",
    values: (name: string) => {
      asked.push(name);
      return (lists[name] ?? []).map(value);
    },
  };
  for (let seed = 0; seed < 50; seed++) {
    asked.length = 0;
    const prompt = expandTemplate("${n={a|b}}__${n}__", { seed, wildcards });
    assert.deepEqual(asked, [prompt.slice("from ".length)]);
    // The names on the way to a circle are those that were followed.
    assert.throws(
      () => expandTemplate("${n={c|c}}__${n}__", { seed, wildcards }),
      /__c__ → __c__|__c__.*__c__/,
    );
  }
});

Deno.test("choices in choices that make the same text again and again end in words for people", () => {
  const depth = 18;
  const nested = "{2$${2$$".repeat(depth / 2) + "::|$$|b}" + "|b}".repeat(depth - 1);
  assert.throws(
    () => expandCombinations(nested, { seed: 1, limit: 100 }),
    /takes? more than \d+ choices/,
  );
});
