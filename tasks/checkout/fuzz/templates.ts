/** Prompt templates, with wildcard files that call each other and themselves. */
import { MAX_PROMPT_LENGTH } from "../../../src/prompt/mod.ts";
import {
  expandCombinations,
  expandTemplate,
  isTemplate,
  loadWildcards,
} from "../../../src/templates/mod.ts";
import type { Dice } from "./dice.ts";
import type { FuzzCase } from "./types.ts";

/** Files of wildcards by their names: sound ones, and those that lead back to where they came from. */
const FILES: Readonly<Record<string, string>> = {
  "colour.txt": "red\nblue\n# no colour\n\n{dark |}green\n",
  "hair/style.txt": "__colour__ hair\n{long|short} __colour__ hair\n",
  "ping.txt": "__pong__\n{__pong__|end}\n",
  "pong.txt": "__ping__\n{a|__ping__}\n",
  "self.txt": "{__self__|__self__} __self__\n",
  "wide.txt": `{${"a|".repeat(2000)}b}\n`.repeat(20),
  "long.txt": `${"word ".repeat(4000)}\n`,
  "doubling.yaml": "twice: ['__twice__ __twice__', 'x']\nnamed: ['${x:none}', '2::${x}']\n",
  "odd.json": '{"a": {"b": ["c", {"text": "d", "weight": 3}, 7, null]}, "e": "f"}',
  "faulty.txt": "{never closed\n${=}\n%{a}\n",
};

const PIECES = [
  "{a|b}",
  "{2$$, $$a|b|c}",
  "{1-3$$ and $$a|b|c}",
  "{0.5::a|3::b}",
  "{~a|b}",
  "{@a|b|c}",
  "__colour__",
  "__hair/*__",
  "__ping__",
  "__self__",
  "__wide__",
  "__long__",
  "__twice__",
  "__named(x=__colour__)__",
  "__{ping|colour}__",
  "__no_such__",
  "__faulty__",
  "__a/b__",
  "__**__",
  "${x={a|b}}",
  "${x=!__colour__}",
  "${x?=y}",
  "${x}",
  "${x:z}",
  "${x=${x}}",
  "${y=${x}}${x=${y}}",
  "%{before ... after$$inner}",
  "# comment\n",
  "\\{",
  "\\_",
  "{",
  "}",
  "|",
  "$$",
  "${",
  "%{",
  "__",
  "_",
  "::",
  "~",
  "@",
  "1-",
  "999999999999$$",
  "1e999::",
  " ",
  "\n",
  "文",
  "<n>",
  "</n>",
  "\ud800",
];
const MOST_PIECES = 12;
const MOST_NESTED = 150;
const MOST_REPEATED = 3000;
const SOME_COMBINATIONS = 40;

/**
 * Each has to become a prompt, the same for the same seed, no longer than a prompt may be; or to be told
 * to be wrong, with the place.
 */
export async function templates(folder: string): Promise<FuzzCase> {
  for (const [name, text] of Object.entries(FILES)) {
    const path = `${folder}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, text);
  }
  const wildcards = await loadWildcards(folder);
  return (dice) => {
    const template = templateOf(dice);
    const seed = dice.roll(1000);
    isTemplate(template);
    if (dice.roll(4) === 0) {
      const prompts = expandCombinations(template, { seed, wildcards, limit: SOME_COMBINATIONS });
      if (prompts.length > SOME_COMBINATIONS) return `${prompts.length} combinations`;
      return prompts.every((prompt) => prompt.length <= MAX_PROMPT_LENGTH) ? undefined : "too long";
    }
    const options = { seed, index: dice.roll(5), wildcards };
    const prompt = expandTemplate(template, options);
    if (prompt.length > MAX_PROMPT_LENGTH) return "too long";
    return expandTemplate(template, options) === prompt ? undefined : "two prompts of one seed";
  };
}

function templateOf(dice: Dice): string {
  const pieces = Array.from({ length: 1 + dice.roll(MOST_PIECES) }, () => dice.pick(PIECES));
  const text = pieces.join(dice.pick(["", " ", ", "]));
  switch (dice.roll(8)) {
    case 0: {
      const depth = 1 + dice.roll(MOST_NESTED);
      const [open, close] = dice.pick([["{a|", "}"], ["${x=", "}"], ["%{a...b$$", "}"], [
        "{2$$",
        "|b}",
      ]]);
      return open!.repeat(depth) + text + close!.repeat(depth);
    }
    case 1:
      return text.repeat(1 + dice.roll(Math.floor(MOST_REPEATED / text.length)));
    case 2: {
      const at = dice.roll(text.length);
      return text.slice(0, at) + dice.pick(PIECES) + text.slice(at + dice.roll(4));
    }
    default:
      return text;
  }
}
