/** models/demo/words.json against the demo's tokenizers and the evaluation's prompts. */
import assert from "node:assert/strict";
import * as z from "zod";
import { readEvalSet } from "../../bench/eval/eval_set.ts";

const word = z.strictObject({
  tag: z.string().regex(/^[a-z0-9_:^'-]+$/),
  en: z.string().min(1),
  zh: z.string().regex(/\p{Script=Han}/u),
  also: z.array(z.string().min(1)),
});
const schema = z.strictObject({
  format: z.literal(1),
  groups: z.array(z.strictObject({
    scope: z.enum(["character", "general"]),
    element: z.string().regex(/^[a-z]+$/),
    attribute: z.string().regex(/^[a-z_]+$/),
    en: z.string().min(1),
    zh: z.string().regex(/\p{Script=Han}/u),
    words: z.array(word).min(1),
  })).min(1),
  largestSize: z.literal(512),
  sentenceWords: z.array(z.string().regex(/^[a-z0-9'-]+$/)).min(1),
});

const words = schema.parse(JSON.parse(await Deno.readTextFile("models/demo/words.json")));

Deno.test("no tag of the word list stands twice under one attribute, and no attribute twice", () => {
  const attributes = words.groups.map(({ scope, attribute }) => `${scope} ${attribute}`);
  assert.deepEqual([...new Set(attributes)], attributes);
  for (const { attribute, words: members } of words.groups) {
    const tags = members.map(({ tag }) => tag);
    assert.deepEqual([...new Set(tags)], tags, attribute);
    for (const { tag, also } of members) assert(!also.includes(tag), tag);
  }
});

Deno.test("every tag of the evaluation's XML stands in the word list under its element", async () => {
  const listed = new Map<string, Set<string>>();
  for (const { scope, element, words: members } of words.groups) {
    const key = `${scope} ${element}`;
    const tags = listed.get(key) ?? new Set();
    for (const { tag, also } of members) for (const name of [tag, ...also]) tags.add(name);
    listed.set(key, tags);
  }
  for (const { prompts: { xml } } of await readEvalSet()) {
    for (const [, block, inside] of xml.matchAll(/<(character_\d|general_tags)>(.*?)<\/\1>/gs)) {
      const scope = block === "general_tags" ? "general" : "character";
      for (const [, element, tags] of inside!.matchAll(/<(\w+)>([^<]*)<\/\1>/g)) {
        if (element === "n") continue;
        for (const tag of tags!.split(", ")) {
          assert(listed.get(`${scope} ${element}`)?.has(tag), `${element}: ${tag}`);
        }
      }
    }
  }
});
