import assert from "node:assert/strict";
import { loadTagList } from "../../src/tags/mod.ts";
import { RequestError } from "../../src/errors.ts";
import { inTempFolder } from "../_folders.ts";

const LIST = `name,category,count,aliases
1girl,0,6008644,"1girls,sole_female"
blue_hair,0,800000,
blue_eyes,0,1600000,"blueeyes"
hatsune_miku,4,100000,"miku,初音ミク,blue_twintails_girl"
"name_with,comma",0,5,
saber_(fate),4,60000,"arturia pendragon"
`;

Deno.test("tags are completed by name and alias, the most used first", async () => {
  await inTempFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/danbooru.csv`, `\ufeff${LIST}`);
    await Deno.writeTextFile(`${folder}/extra.CSV`, "blue_hair,0,1,\r\nbluebell,0,7,\r\n");
    await Deno.writeTextFile(`${folder}/._danbooru.csv`, "\0junk");
    await Deno.writeTextFile(`${folder}/notes.txt`, "junk");
    const tags = await loadTagList(folder);
    assert.equal(tags.size, 7);
    assert.deepEqual(tags.complete("blue").map(({ name, alias }) => [name, alias]), [
      ["blue_eyes", undefined],
      ["blue_hair", undefined],
      ["hatsune_miku", "blue_twintails_girl"],
      ["bluebell", undefined],
    ]);
    assert.deepEqual(tags.complete("Blue H").map(({ name }) => name), ["blue_hair"]);
    assert.deepEqual(tags.complete("初音").map(({ name }) => name), ["hatsune_miku"]);
    assert.deepEqual(tags.complete("blue", 1).map(({ name }) => name), ["blue_eyes"]);
    assert.deepEqual(tags.complete("name_with").map(({ name }) => name), ["name_with,comma"]);
    assert.deepEqual(tags.complete("zzz"), []);
    assert.deepEqual(tags.complete(" "), []);
    assert.equal(tags.get("blue hair")?.count, 800000);
    assert.equal(tags.nameOf("Arturia Pendragon"), "saber_(fate)");
    assert.equal(tags.nameOf("saber \\(fate\\)"), "saber_(fate)");
    assert.equal(tags.nameOf("nobody"), undefined);
    assert.deepEqual(tags.near("bleu_hair"), ["blue_hair"]);
    assert.deepEqual(tags.near("blue_eyse"), ["blue_eyes"]);
    assert.deepEqual(tags.near("mountain"), []);
  });
});

Deno.test("no folder, or none with lists, is an empty list", async () => {
  await inTempFolder(async (folder) => {
    assert.equal((await loadTagList(folder)).size, 0);
    assert.equal((await loadTagList(`${folder}/none`)).size, 0);
  });
});

Deno.test("a CSV that is none is named with its line, in both languages", async () => {
  const cases: readonly [content: string | Uint8Array, message: RegExp][] = [
    [
      '1girl,0,5,\n\nblue,0,3,"never closed\n',
      /bad\.csv, line 3: a quotation mark is never closed/,
    ],
    ["\njust words\nmore words\n", /bad\.csv, line 3: expected .* found "more words"/],
    ["1girl", /bad\.csv, line 1: expected name,category,count.* found "1girl"/],
    [`{"name": "1girl"}\n[1]\n`, /bad\.csv, line \d: expected/],
    ["<!doctype html><html><body>404</body></html>", /line 1: expected .* found "<!doctype html>/],
    ['1girl,0,5,"a\nb"\n' + "odd\n".repeat(101), /bad\.csv, line 103: expected/],
    [",".repeat(1 << 20), /bad\.csv, line 1: it has 1048576 characters/],
    [Uint8Array.of(0xff, 0xfe, 0x31, 0), /bad\.csv is text in UTF-16/],
    [Uint8Array.of(0x50, 0x4b, 0, 1), /bad\.csv is no text in UTF-8/],
    [Uint8Array.of(0xff, 0xd8, 0x31), /bad\.csv is no text in UTF-8/],
  ];
  for (const [content, message] of cases) {
    await inTempFolder(async (folder) => {
      if (typeof content === "string") await Deno.writeTextFile(`${folder}/bad.csv`, content);
      else await Deno.writeFile(`${folder}/bad.csv`, content);
      await assert.rejects(loadTagList(folder), (error) => {
        assert(error instanceof RequestError, String(error));
        assert.match(error.message, message);
        assert.notEqual(error.explain("zh"), error.message);
        return true;
      });
    });
  }
});

Deno.test("200,000 rows are read, and asked as quickly as one types", async () => {
  await inTempFolder(async (folder) => {
    const rows = Array.from(
      { length: 200_000 },
      (_, index) => `tag_${index.toString(36)},0,${index},"alias_${index},other_${index}"`,
    );
    await Deno.writeTextFile(`${folder}/large.csv`, rows.join("\n"));
    const tags = await loadTagList(folder);
    assert.equal(tags.size, 200_000);
    assert.equal(tags.complete("tag_")[0]!.name, `tag_${(199_999).toString(36)}`);
    assert.equal(tags.complete("other_1234").length, 20);
  });
});
