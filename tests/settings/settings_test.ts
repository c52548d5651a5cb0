/**
 * Every setting of the table, taken through everything that is derived from it. Nothing here knows
 * the settings by name, so that one more declaration is one more setting tested.
 */
import assert from "node:assert/strict";
import { Command } from "commander";
import * as z from "zod";
import { readForeignRecipe, readRecipe, type Recipe, recipeText } from "../../src/recipe/mod.ts";
import { real, text } from "../../src/settings/kinds.ts";
import {
  type AnySetting,
  checkSettings,
  fromJson,
  fromText,
  leavesOf,
  nested,
  setting,
  SETTINGS,
  settingsSchema,
  type SettingsTable,
  toJson,
  toText,
  valueAt,
} from "../../src/settings/mod.ts";
import { SCHEDULER_NAMES } from "../../src/schedulers/mod.ts";
import { parseBatchLine } from "../../src/studio/request.ts";
import { addSettingOptions, settingsOf } from "../../tasks/cli/setting_options.ts";
import { RECIPE } from "../recipe/_recipe.ts";

/** The table and a setting that nothing knows but its declaration. */
const WITH_INVENTED = {
  ...SETTINGS,
  invented: {
    glow: setting(real({ least: 0, most: 4 }), {
      default: 1,
      absent: 1,
      word: "glow_amount",
      infotext: { name: "Glow" },
      about: { en: "how much everything glows", zh: "发光的程度" },
    }),
    motto: setting(text(), {
      isOptional: true,
      word: "motto",
      infotext: { name: "Motto" },
      about: { en: "what is written below", zh: "写在下方的文字" },
    }),
  },
} as const satisfies SettingsTable;

/** In JSON: a text that every separator could break, seeds beyond 2⁵³, numbers of both kinds. */
const CANDIDATES = [
  'a: b, "c"\nSteps: 3 <Prompt Start> ',
  "12345678901234567890",
  0.3,
  48,
  49,
  true,
];

/** Differs from all that the table says; `place` makes neighbours differ from each other. */
function different({ kind, default: usual, demo, absent, infotext }: AnySetting, place: number) {
  const known = [usual, demo, absent, infotext.omit];
  const candidates = kind.choices ??
    [...CANDIDATES.slice(0, 3), 1.5, 48 + 16 * place, true, "left=16,top=32", "16x32"];
  const value = candidates.map((json) => fromJson(kind, json))
    .find((value) => value !== undefined && !known.includes(value));
  assert(value !== undefined, "no candidate is a value of this kind");
  return value;
}

function takeThrough(table: SettingsTable): void {
  const leaves = leavesOf(table);
  const values = new Map(leaves.map((leaf, place) => [leaf.name, different(leaf.setting, place)]));
  const all = nested(leaves.map(({ path, name }) => [path, values.get(name)]));
  for (const { path, name } of leaves) assert.deepEqual(valueAt(all, path), values.get(name), name);
  checkSettings(all, table);

  const args = leaves.flatMap(({ name, setting: { word, kind } }) => {
    const option = `--${word.replaceAll("_", "-")}`;
    return kind.placeholder === undefined ? [option] : [option, toText(kind, values.get(name))];
  });
  const command = addSettingOptions(new Command(), table).exitOverride();
  assert.deepEqual(settingsOf(command.parse(args, { from: "user" }).opts(), table), all, "options");

  const line = Object.fromEntries(
    leaves.map(({ name, setting: { word, kind } }) => [word, toJson(kind, values.get(name))]),
  );
  assert.deepEqual(parseBatchLine(JSON.stringify(line), table).request, all, "a batch's line");

  const { models, provider, dtype, versions } = RECIPE;
  const recipe = { ...all, models, provider, dtype, versions } as unknown as Recipe;
  const written = recipeText(recipe, table);
  assert.deepEqual(readRecipe(written, table), recipe, "the recipe");

  // The web UI's readers take spaces away from the ends of a prompt.
  const trimmed = nested(leaves.map(({ path, name, setting: { infotext } }) => {
    const value = values.get(name);
    const isPrompt = infotext.name === "Prompt" || infotext.name === "Negative prompt";
    return [path, isPrompt ? (value as string).trim() : value];
  }));
  const read = readForeignRecipe({ parameters: written["parameters"]! }, table);
  assert.deepEqual(read?.settings, trimmed, "AUTOMATIC1111's text");
}

Deno.test("every setting goes from option to batch line, recipe and AUTOMATIC1111's text, and back", () => {
  takeThrough(SETTINGS);
});

Deno.test("a new setting takes one declaration", () => {
  takeThrough(WITH_INVENTED);
});

Deno.test("no two settings share a word, and only a size shares its name in a picture's text", () => {
  const leaves = leavesOf(SETTINGS);
  const words = leaves.map(({ setting }) => setting.word);
  assert.deepEqual([...new Set(words)], words);
  const names = leaves.map(({ setting }) => setting.infotext.name);
  assert.deepEqual(names.filter((name, place) => names.indexOf(name) !== place), ["Size"]);
});

Deno.test("every default is a value of its kind, and every text is there in both languages", () => {
  for (const { name, setting } of leavesOf(SETTINGS)) {
    const { kind, about, question } = setting;
    for (const value of [setting.default, setting.demo, setting.absent, setting.infotext.omit]) {
      if (value === undefined) continue;
      assert.deepEqual(fromJson(kind, toJson(kind, value)), value, name);
      if (value !== "") assert.deepEqual(fromText(kind, toText(kind, value)), value, name);
    }
    for (
      const { en, zh } of [about, kind.expected, ...(question === undefined ? [] : [question])]
    ) {
      assert(en !== "" && !/\p{Script=Han}/u.test(en), name);
      assert(/\p{Script=Han}/u.test(zh) || zh.includes("true"), name);
    }
  }
});

Deno.test("JSDoc tells the defaults of the table", async () => {
  const source = await Deno.readTextFile(
    new URL("../../src/settings/settings.ts", import.meta.url),
  );
  for (const { path, setting } of leavesOf(SETTINGS)) {
    const key = path.at(-1)!;
    const place = source.search(new RegExp(`^ +${key}: setting\\(`, "m"));
    const comment = source.slice(0, place).split("/**").at(-1)!;
    const [, said] = /@default \{(.*)\}/.exec(comment) ?? [];
    const { default: usual, demo } = setting;
    const expected = usual === undefined
      ? undefined
      : JSON.stringify(usual) + (demo === undefined ? "" : `; the demo model ${demo}`);
    assert.equal(said, expected, key);
  }
});

Deno.test("what README and the manuals show of defaults is the table's", async () => {
  const { numInferenceSteps: steps, guidanceScale: guidance } = SETTINGS;
  const patterns: readonly (readonly [RegExp, number])[] = [
    [/Enter steps \(default ([\d.]+)\)/g, steps.default],
    [/请输入步数（默认 ([\d.]+)）/g, steps.default],
    [/Enter guidance scale \(default ([\d.]+)\)/g, guidance.demo],
    [/请输入引导强度（默认 ([\d.]+)）/g, guidance.demo],
    [/\bguidance (\d+), but \d+ for/g, guidance.default],
    [/\bguidance \d+, but (\d+) for/g, guidance.demo],
  ];
  let found = 0;
  for (const markdown of await manuals()) {
    for (const [pattern, expected] of patterns) {
      for (const [whole, said] of markdown.replaceAll(/\s+/g, " ").matchAll(pattern)) {
        assert.equal(Number(said), expected, whole);
        found++;
      }
    }
  }
  assert(found > 0, "no manual shows a default");
});

async function manuals(): Promise<readonly string[]> {
  const root = new URL("../..", import.meta.url);
  const paths = ["README.md", "README.zh-CN.md"];
  try {
    for await (const { name } of Deno.readDir(new URL("docs", root))) {
      if (name.endsWith(".md")) paths.push(`docs/${name}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return await Promise.all(paths.map((path) => Deno.readTextFile(new URL(path, root))));
}

Deno.test("wrong values are named with what is expected, in both languages", () => {
  for (
    const [wrong, english, chinese] of [
      [{ numInferenceSteps: 0 }, /numInferenceSteps is 0; expected a whole number from 1 to 1000/],
      [{ scheduler: { shift: Infinity } }, /scheduler\.shift is Infinity; expected .* 0\.001/],
      [{ raw: "yes" }, /raw is "yes"; expected true or false/, /raw 是 "yes"；应为/],
      [{ cfgTrunc: NaN }, /cfgTrunc is NaN; expected a number/, /应为数字/],
    ] as const
  ) {
    assert.throws(
      () => checkSettings(wrong),
      (error: Error & { explain(language: "zh"): string }) => {
        assert.match(error.message, english);
        if (chinese !== undefined) assert.match(error.explain("zh"), chinese);
        return true;
      },
    );
  }
});

Deno.test("a description for other programs follows from the table", () => {
  const schema = z.toJSONSchema(settingsSchema(), { io: "input" });
  const { scheduler, numInferenceSteps } = schema.properties as Record<
    string,
    z.core.JSONSchema.JSONSchema
  >;
  assert.deepEqual((scheduler!.properties as { name: { enum: string[] } }).name.enum, [
    ...SCHEDULER_NAMES,
  ]);
  assert.equal(numInferenceSteps!.maximum, 1000);
  assert(schema.required!.includes("prompt") && !schema.required!.includes("stepCache"));
});
