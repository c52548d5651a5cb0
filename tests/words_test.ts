/** docs/words.md says which Chinese word stands for what, and which others do not. */
import assert from "node:assert/strict";
import { filesBelow } from "./_folders.ts";

/** The words of each row that are not used, with the one that is. */
function unwanted(): Map<string, string> {
  const rows = Deno.readTextFileSync("docs/words.md").split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| --")).slice(1);
  const found = rows.flatMap((row) => {
    const [, english, chinese, others] = row.split("|").map((cell) => cell.trim());
    assert(english && chinese && others, row);
    return others.split("，").map((word): [string, string] => [word, `${chinese} (${english})`]);
  });
  return new Map(found);
}

/** Every line that may have Chinese words. */
function* chineseLines(): Generator<{ place: string; line: string }> {
  const sources = ["src", "tasks", "bench"].flatMap((folder) =>
    filesBelow(folder).filter((path) => path.endsWith(".ts"))
  );
  const documents = ["README.zh-CN.md", ...filesBelow("docs")].filter((path) =>
    path.endsWith(".zh-CN.md")
  );
  assert(documents.length > 5);
  for (const path of [...sources, ...documents]) {
    const lines = Deno.readTextFileSync(path).split("\n");
    for (const [index, line] of lines.entries()) {
      if (/\p{Script=Han}/u.test(line)) yield { place: `${path}:${index + 1}`, line };
    }
  }
}

Deno.test("one thing has one Chinese word", () => {
  const words = unwanted();
  assert(words.size > 40);
  const faults: string[] = [];
  let lines = 0;
  for (const { place, line } of chineseLines()) {
    lines++;
    for (const [word, right] of words) {
      if (line.includes(word)) faults.push(`${place}: ${word}, and should be ${right}`);
    }
  }
  assert(lines > 500);
  assert.deepEqual(faults, []);
});

/** A text that is stated as the Chinese one, over one line or several. */
const CHINESE_TEXT = /\bzh:\s*((?:(["`])(?:\\.|(?!\2).)*\2\s*\+?\s*)+)/gs;

Deno.test("what is stated as Chinese is Chinese, but for names", () => {
  const faults: string[] = [];
  let texts = 0;
  for (const path of ["src", "tasks", "bench"].flatMap(filesBelow)) {
    if (!path.endsWith(".ts")) continue;
    for (const [, text = ""] of Deno.readTextFileSync(path).matchAll(CHINESE_TEXT)) {
      texts++;
      // Where all of it is put in, those parts are looked at where they are stated.
      const own = text.replaceAll(/\$\{[^}]*\}|["`+\s]/g, "");
      const isName = /^[A-Z][A-Za-z]*$/.test(own);
      if (/[a-z]/i.test(own) && !isName && !/\p{Script=Han}/u.test(own)) {
        faults.push(`${path}: ${text.trim()}`);
      }
    }
  }
  assert(texts > 200);
  assert.deepEqual(faults, []);
});

Deno.test("the table of words has no word twice, and none both wanted and not", () => {
  const rows = Deno.readTextFileSync("docs/words.md").split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| --")).slice(1);
  const cells = (column: number) => rows.map((row) => row.split("|")[column]!.trim());
  const english = cells(1);
  assert.equal(new Set(english).size, english.length);
  assert.deepEqual(english, english.toSorted((a, b) => a.localeCompare(b, "en")));
  const others = new Set(cells(3).flatMap((cell) => cell.split("，")));
  for (const word of cells(2)) assert(!others.has(word), word);
});
