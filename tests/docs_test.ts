/** What README and docs/ tell people to do is done here, in both languages. */
import assert from "node:assert/strict";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import configuration from "../deno.json" with { type: "json" };
import { NEWBIE } from "../src/families/mod.ts";
import { formatBytes } from "../src/format_bytes.ts";
import { DENO } from "../src/integrity/mod.ts";
import { estimateMemory } from "../src/pipeline/checkpoint/memory.ts";
import { readRecipe } from "../src/recipe/mod.ts";
import { temporaryFolder } from "./_folders.ts";
import {
  assertSameInBoth,
  assertWhole,
  blocks,
  type Document,
  inOtherLanguage,
  links,
  pictures,
} from "./_markdown.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

async function open(path: string): Promise<Document | undefined> {
  try {
    const { isFile } = await Deno.stat(join(ROOT, path));
    const text = isFile && path.endsWith(".md") ? await Deno.readTextFile(join(ROOT, path)) : "";
    return { path, text };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** One document for both languages: which word stands for what. `words_test.ts` reads it. */
const GLOSSARY = "docs/words.md";
const NAMES = [
  "README.md",
  "CONTRIBUTING.md",
  ...[...Deno.readDirSync(join(ROOT, "docs"))].map(({ name }) => `docs/${name}`)
    .filter((path) => path.endsWith(".md") && !path.endsWith(".zh-CN.md") && path !== GLOSSARY)
    .sort(),
];
const ENGLISH = await Promise.all(NAMES.map(async (path) => (await open(path))!));
const CHINESE = await Promise.all(
  NAMES.map(async (path) =>
    await open(inOtherLanguage(path)) ?? { path: inOtherLanguage(path), text: "" }
  ),
);
const DOCUMENTS = [...ENGLISH, ...CHINESE];
const named = (path: string) => ENGLISH.find((document) => document.path === path)!;
const SLOTS = NEWBIE.slots.toolkit;
const README = named("README.md");
const CONTRIBUTING = named("CONTRIBUTING.md");

/**
 * Stand-ins for `deno` and `npx`, so that commands run as they are written, with this very Deno and
 * without a network. `deno task check` is what runs this test: it is not run inside itself.
 */
async function withCommands(
  work: (env: Readonly<Record<string, string>>) => Promise<void>,
): Promise<void> {
  await using folder = await temporaryFolder();
  const deno = `#!/bin/sh\n[ "$1 $2" = "task check" ] && exit\nexec '${Deno.execPath()}' "$@"\n`;
  await Deno.writeTextFile(`${folder.path}/deno`, deno, { mode: 0o755 });
  const npx =
    `#!/bin/sh\n[ "$1 $2" = "--yes deno@${DENO.version}" ] && shift 2 && exec deno "$@"\n`;
  await Deno.writeTextFile(`${folder.path}/npx`, npx, { mode: 0o755 });
  await work({ PATH: `${folder.path}${delimiter}${Deno.env.get("PATH")}`, LC_ALL: "C" });
}

/** Runs a script, at the top of the repository by default; answers `q` where it asks. */
async function shell(
  script: string,
  env: Readonly<Record<string, string>>,
  cwd = ROOT,
): Promise<string> {
  const child = new Deno.Command("bash", {
    args: ["-euo", "pipefail", "-c", script],
    cwd,
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("q\n")).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const shown = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, `${script}\n${shown}`);
  return shown;
}

/** What was made is removed, what was there before stays. */
async function withoutTraces(work: () => Promise<void>): Promise<void> {
  const before = new Set(await outputs());
  try {
    await work();
  } finally {
    const made = (await outputs()).filter((path) => !before.has(path));
    for (const path of made.sort().reverse()) await Deno.remove(path);
  }
}

async function outputs(folder = join(ROOT, "outputs")): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      found.push(`${folder}/${name}`);
      if (isDirectory) found.push(...await outputs(`${folder}/${name}`));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found;
}

for (const [index, english] of ENGLISH.entries()) {
  Deno.test(`${english.path} says the same in both languages`, () => {
    const chinese = CHINESE[index]!;
    assert(chinese.text !== "", `${chinese.path} is missing`);
    assertSameInBoth(english, chinese);
  });
}

Deno.test("what the documents link to and show is there, headings too", async () => {
  for (const document of DOCUMENTS) await assertWhole(document, open);
});

Deno.test("a document stays in its language, and leads to the other one", () => {
  for (const document of DOCUMENTS) {
    const other = inOtherLanguage(document.path);
    const isChinese = document.path.endsWith(".zh-CN.md");
    const paths = links(document).map(({ path }) => path);
    assert(paths.includes(other), `${document.path} does not link to ${other}`);
    for (const path of paths.filter((path) => path !== other)) {
      const hasBoth = DOCUMENTS.some((document) => document.path === path);
      if (hasBoth) assert.equal(path.endsWith(".zh-CN.md"), isChinese, `${document.path}: ${path}`);
    }
  }
});

Deno.test("every document is a click away from README", () => {
  assert(links(CONTRIBUTING).some(({ path }) => path === GLOSSARY));
  for (const documents of [ENGLISH, CHINESE]) {
    const listed = new Set(links(documents[0]!).map(({ path }) => path));
    for (const { path } of documents.slice(1)) assert(listed.has(path), path);
  }
});

Deno.test("a document without links, headings or Chinese does not pass", async () => {
  const whole = { path: "a.md", text: "# A\n[zh](a.zh-CN.md)\n## B\n[b](#b) 3 MB\n" };
  const chinese = { path: "a.zh-CN.md", text: "# 甲\n[en](a.md)\n## B\n[b](#b) 3 MB\n" };
  const library = new Map([whole, chinese].map((document) => [document.path, document]));
  const openIn = (path: string) => Promise.resolve(library.get(path));
  await assertWhole(whole, openIn);
  assertSameInBoth(whole, chinese);
  for (const text of ["", "# A\n## B\n", "[x](a.zh-CN.md) [b](#b)\n"]) {
    await assert.rejects(assertWhole({ path: "a.md", text }, openIn), /has no/);
  }
  const broken = (text: string) => ({ path: "a.md", text: `${whole.text}${text}` });
  await assert.rejects(assertWhole(broken("[x](no.md)"), openIn), /not there/);
  await assert.rejects(assertWhole(broken("[x](a.zh-CN.md#c)"), openIn), /no such heading/);
  await assert.rejects(assertWhole(broken("![x](no.png)"), openIn), /not there/);
  for (const more of ["4 MB", "## C\n", "```sh\nls\n```\n", "![p](p.png)", "[x](b.md)"]) {
    assert.throws(() => assertSameInBoth(broken(more), chinese), /a\.md/);
  }
});

Deno.test("README is short, and begins with pictures and the two commands", () => {
  for (const { text, path } of [ENGLISH[0]!, CHINESE[0]!]) {
    assert(text.split("\n").length <= 201, `${path} is longer than 200 lines`);
  }
  assert(pictures(README).length >= 5);
  const top = README.text.slice(0, README.text.indexOf("| what it takes"));
  // Four pictures, and the studio in the browser.
  assert.equal(pictures({ path: README.path, text: top }).length, 5);
  assert.deepEqual(blocks(README, "sh")[0], "deno task --quiet test\ndeno task --quiet create\n");
  for (const { text } of DOCUMENTS) {
    for (const [, version] of text.matchAll(/\bdeno@(\S+?)(?=[`\s，。])/g)) {
      assert.equal(version, DENO.version);
    }
  }
});

Deno.test("every task that the documents name exists, and helps; each has its line", async () => {
  const tasksIn = ({ text }: Document) =>
    [...text.matchAll(/\bdeno task (?:--quiet )?([a-z]+(?::[a-z]+)?)/g)].map(([, name]) => name!);
  const all = new Set(DOCUMENTS.flatMap(tasksIn));
  for (const name of all) assert(Object.hasOwn(configuration.tasks, name), name);
  await withCommands(async (env) => {
    for (const name of all) {
      // Both run other programs, which take no options of ours.
      if (!["check", "page"].includes(name)) {
        assert.match(await shell(`deno task ${name} --help`, env), /Usage:/);
      }
    }
  });
  const listed = new Set(tasksIn(named("docs/commands.md")));
  for (const name of Object.keys(configuration.tasks)) assert(listed.has(name), name);
});

Deno.test("every command of the documents works as written", async () => {
  const scripts = new Set(ENGLISH.flatMap((document) => blocks(document, "sh")));
  assert(scripts.size >= 8, `${scripts.size} scripts`);
  await withCommands((env) =>
    withoutTraces(async () => {
      for (const script of scripts) await shell(script, env);
    })
  );
});

Deno.test("a project beside the checkout runs the programs of docs/programming.md", async () => {
  const programming = named("docs/programming.md");
  const [draw, stages] = blocks(programming, "ts");
  const [inProject, here] = blocks(programming, "bash");
  await using folder = await temporaryFolder();
  await Deno.symlink(ROOT, `${folder.path}/newbie`);
  const project = `${folder.path}/project`;
  await Deno.mkdir(project);
  const write = (name: string, text: string) => Deno.writeTextFile(`${project}/${name}`, text);
  await write("deno.json", blocks(programming, "json")[0]!);
  await write("draw.ts", draw!);
  await write("stages.ts", stages!);
  await write("draw_here.ts", draw!.replace('"@newbie/toolkit"', '"../newbie/src/mod.ts"'));
  await withCommands(async (env) => {
    await shell(inProject!, env, project);
    assert((await Deno.stat(`${project}/girl.png`)).size > 10_000);
    const run = inProject!.split("\n").slice(1).join("\n");
    assert.match(await shell(run.replace("draw.ts", "stages.ts"), env, project), /\b256\b/);
    await shell("deno check --quiet draw.ts stages.ts", env, project);
    await Deno.remove(`${project}/girl.png`);
    await shell(here!, env, project);
    assert((await Deno.stat(`${project}/girl.png`)).isFile);
  });
});

Deno.test("the map of CONTRIBUTING has every room", () => {
  const map = blocks(CONTRIBUTING, "").find((block) => block.includes("src/\n"))!;
  const src = map.slice(map.indexOf("src/\n"), map.indexOf("tests/"));
  const rooms = [...src.matchAll(/^ {2}(?! )([a-z_/ ]+?)(?= {2})/gm)].flatMap(([, names]) =>
    names!.split(" ").filter((name) => name.endsWith("/")).map((name) => name.slice(0, -1))
  );
  const found = [...Deno.readDirSync(join(ROOT, "src"))].filter(({ isDirectory }) => isDirectory);
  assert.deepEqual(rooms.toSorted(), found.map(({ name }) => name).sort());
});

Deno.test("the files that CONTRIBUTING names are there", async () => {
  const files = new Set(
    [...CONTRIBUTING.text.matchAll(/`((?:src|tests|tasks|patches|docs)\/[\w./-]+)`/g)]
      .map(([, path]) => path!).filter((path) => !path.includes("NAME")),
  );
  assert(files.size > 10, `${files.size} files`);
  for (const path of files) assert(await open(path) !== undefined, path);
});

Deno.test("the prompts that are shown are files of the repository", async () => {
  const shown: Readonly<Record<string, string>> = {
    "README.md": "models/demo/two_characters.xml",
    "docs/prompts.md": "docs/pictures/beach.xml",
  };
  for (const document of ENGLISH) {
    const file = shown[document.path];
    const expected = file === undefined ? [] : [await Deno.readTextFile(join(ROOT, file))];
    assert.deepEqual(blocks(document, "xml"), expected, document.path);
  }
});

Deno.test("every example picture was made from its prompt by this demo model", async () => {
  const checksums = await Deno.readTextFile(join(ROOT, "checksums.txt"));
  const lines = (await Deno.readTextFile(join(ROOT, "docs/pictures/pictures.jsonl"))).trim();
  const requests: { png: string; xml: string; seed?: number }[] = lines.split("\n").map((line) => {
    const { prompt_file, seed, output } = JSON.parse(line);
    return { png: `docs/pictures/${output}`, xml: `docs/pictures/${prompt_file}`, seed };
  });
  const two = "models/demo/two_characters";
  for (const { png, xml, seed } of [...requests, { png: `${two}.png`, xml: `${two}.xml` }]) {
    const recipe = readRecipe(await Deno.readFile(join(ROOT, png)));
    const prompt = await Deno.readTextFile(join(ROOT, xml));
    assert.equal(recipe.prompt.trimEnd(), prompt.trimEnd(), png);
    if (seed !== undefined) assert.equal(Number(recipe.generator.seed), seed, png);
    for (const { name, sha256 } of [recipe.models.transformer, recipe.models.vae]) {
      const isListed = checksums.includes(`${sha256}  models/${name}/`);
      assert(isListed, `${png}: ${name} has other weights now; run docs/pictures/draw.ts`);
    }
  }
});

Deno.test("the words that README names are the demo model's", async () => {
  const list = JSON.parse(await Deno.readTextFile(join(ROOT, "models/demo/words.json")));
  const tags = new Set<string>(
    list.groups.flatMap(({ words }: { words: { tag: string }[] }) => words.map(({ tag }) => tag)),
  );
  const start = README.text.indexOf("| what       |");
  const table = README.text.slice(start, README.text.indexOf("[models/demo/words.json]", start));
  const named = [...table.matchAll(/`(\w+)`/g)].map(([, tag]) => tag!);
  assert(named.length > 40, `${named.length} words`);
  for (const tag of named) assert(tags.has(tag), tag);
});

Deno.test("the memory that the documents name is what doctor computes", () => {
  const { parts, pictureSize } = NEWBIE.published;
  const { peak } = estimateMemory(parts, "cpu", pictureSize);
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  for (const path of ["README.md", "docs/speed.md", "docs/commands.md"]) {
    assert(named(path).text.includes(gib(peak.model)), `${path}: ${gib(peak.model)}`);
  }
  assert(named("docs/speed.md").text.includes(gib(peak.none)), gib(peak.none));
});

Deno.test("the sizes of the published files that the documents name are those that doctor names", () => {
  const { parts } = NEWBIE.published;
  const total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  assert(named("docs/commands.md").text.includes(formatBytes(total)), formatBytes(total));
  assert(README.text.includes(`${Math.floor(total / 1e9)} GB more`), `${total} bytes`);
  for (const { path, text } of [README, named("docs/models.md")]) {
    for (const { name, bytes } of parts) {
      const row = text.split("\n").find((line) => line.startsWith(`| \`models/${SLOTS[name]}/\``));
      assert(row?.includes(` ${formatBytes(bytes)} `), `${path}: ${name}, ${formatBytes(bytes)}`);
    }
  }
});

Deno.test("what the documents say of the evaluation is what was recorded", async () => {
  const recorded = await Deno.readTextFile(join(ROOT, "bench/results/eval.md")) +
    await Deno.readTextFile(join(ROOT, "bench/results/eval_steps.md"));
  const rows = (text: string) =>
    [...text.matchAll(/^\| *(.+?) *\|(.+)\|$/gm)].map(([, label, rest]) => ({
      label: label!,
      figures: rest!.match(/[\d.]+(?= ?(?:%|dB))/g) ?? [],
    }));
  const [, about] = named("docs/prompts.md").text.split("## Does XML help?");
  const [before, sorting, after] = about!.split(
    /\n### And tags sorted.*\n|\n## How many steps\?\n/,
  );
  const shown = rows(`${before}\n${after}`).filter(({ figures }) => figures.length > 0);
  assert.equal(shown.length, 8);
  for (const { label, figures } of shown) {
    const row = rows(recorded).find((row) => row.label.replace(/^prompts, /, "") === label);
    assert(row !== undefined, `bench/results has no row ${label}`);
    assert.deepEqual(figures, row.figures.slice(0, figures.length), label);
  }
  // The same rows in the same order, of which the document leaves columns out.
  const sorted = rows(await Deno.readTextFile(join(ROOT, "bench/results/eval_to_xml.md")))
    .filter(({ figures }) => figures.length > 0);
  const shownSorted = rows(sorting!).filter(({ figures }) => figures.length > 0);
  assert.equal(shownSorted.length, sorted.length);
  for (const [index, { label, figures }] of shownSorted.entries()) {
    const all: readonly string[] = sorted[index]!.figures;
    assert(figures.every((figure) => all.includes(figure)), label);
  }
  for (const label of ["XML", "flat tags, in no order"]) {
    const [wrong] = shown.find((row) => row.label === label)!.figures;
    assert(README.text.includes(`${wrong} %`), `README: ${label}`);
  }
});

Deno.test("the packages of docs/pins.md are those of deno.json", () => {
  const { text } = named("docs/pins.md");
  const imports: Readonly<Record<string, string>> = configuration.imports;
  for (const [name, specifier] of Object.entries(imports)) {
    assert(text.includes(`\`${name}\``), `${name} is missing`);
    const [, version] = new RegExp(`\`${name}\` (\\d[\\d.]*\\d)`).exec(text) ?? [];
    if (version !== undefined) assert.equal(specifier, `npm:${name}@${version}`);
  }
});
