import assert from "node:assert/strict";
import { tagHints, TagList } from "../../src/tags/mod.ts";

const list = new TagList([
  { name: "blue_hair", category: 0, count: 900, aliases: ["azure_hair"] },
  { name: "blue_hat", category: 0, count: 100, aliases: [] },
  { name: "smile", category: 0, count: 1000, aliases: [] },
]);

Deno.test("aliases and near misses of a prompt are told, in XML as in plain text", () => {
  const hints = [
    { tag: "azure hair", name: "blue_hair", near: [] },
    { tag: "smiel", near: ["smile"] },
  ];
  assert.deepEqual(tagHints("smile, azure hair, smiel, smiel, castle", list), hints);
  const xml = "<character_1><n>smiel</n><appearance>azure hair</appearance>" +
    "<expression>smiel</expression></character_1><caption>blue_haar and azure_hair</caption>";
  assert.deepEqual(tagHints(xml, list), hints);
});

Deno.test("sentences and an empty list give no hints", () => {
  assert.deepEqual(tagHints("a girl with azure hair and a smiel", list), []);
  assert.deepEqual(tagHints("smiel", new TagList([])), []);
});
