/** Widths: Unicode's UAX #11; lines broken by hand. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { columnsOf, padColumns, wrapColumns } from "../../tasks/cli/columns.ts";

Deno.test("Chinese takes two columns a character, its punctuation too", () => {
  assert.equal(columnsOf("ab"), 2);
  assert.equal(columnsOf("显卡：8 GB"), 2 * 3 + 4);
  assert.equal(padColumns("显卡", 6), "显卡  ");
});

Deno.test("English breaks at spaces, Chinese anywhere but before punctuation", () => {
  assert.deepEqual(wrapColumns("one two three", 8), ["one two", "three"]);
  assert.deepEqual(wrapColumns("显卡驱动", 4), ["显卡", "驱动"]);
  assert.deepEqual(wrapColumns("显卡，驱动", 6), ["显卡，", "驱动"]);
  assert.deepEqual(wrapColumns("liba.so、libb.so。", 10), ["liba.so、", "libb.so。"]);
  assert.deepEqual(wrapColumns("没有显卡。", 8), ["没有显", "卡。"]);
});

Deno.test("a number keeps its unit, a long path breaks after a slash, a command does not", () => {
  assert.deepEqual(wrapColumns("it needs 15.4 GiB", 14), ["it needs", "15.4 GiB"]);
  assert.deepEqual(wrapColumns("/usr/local/cuda/lib64", 12), ["/usr/local/", "cuda/lib64"]);
  assert.deepEqual(wrapColumns("cp /usr/local/cuda/lib64", 12, "keep"), [
    "cp",
    "/usr/local/cuda/lib64",
  ]);
});

Deno.test("no text is lost, and no line is wider than asked where it can be broken", () => {
  const character = fc.constantFrom("a", "b", " ", "显", "卡", "，", "。");
  const text = fc.array(character, { maxLength: 60 }).map((characters) => characters.join(""));
  fc.assert(fc.property(text, fc.integer({ min: 4, max: 20 }), (text, columns) => {
    const lines = wrapColumns(text, columns);
    assert.equal(lines.join("").replaceAll(" ", ""), text.replaceAll(" ", ""));
    for (const line of lines) {
      assert(columnsOf(line) <= columns || !/[ ]/.test(line.trim()) || /[，。]/.test(line), line);
    }
  }));
});
