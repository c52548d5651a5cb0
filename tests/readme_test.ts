/** What README tells people to do is done here, in both languages. */
import assert from "node:assert/strict";
import { delimiter } from "node:path";
import configuration from "../deno.json" with { type: "json" };
import { readPngText } from "../src/image/mod.ts";
import { readRecipe } from "../src/recipe/mod.ts";

const ROOT = new URL("..", import.meta.url);
const README = await Deno.readTextFile(new URL("README.md", ROOT));
const CHINESE = await Deno.readTextFile(new URL("README.zh-CN.md", ROOT));

/** The fenced blocks of a language. */
function blocks(markdown: string, language: string): string[] {
  const fences = markdown.matchAll(/^```(\w*)\n([^]*?)^```$/gm);
  return [...fences].filter((match) => match[1] === language).map((match) => match[2]!);
}

/**
 * Stand-ins for `deno` and `npx`, so that commands run as they are written, with this very Deno and
 * without a network. `deno task check` is what runs this test: it is not run inside itself.
 */
async function withCommands(
  work: (env: Readonly<Record<string, string>>) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const deno = `#!/bin/sh\n[ "$1 $2" = "task check" ] && exit\nexec '${Deno.execPath()}' "$@"\n`;
    await Deno.writeTextFile(`${folder}/deno`, deno, { mode: 0o755 });
    const npx = '#!/bin/sh\n[ "$1 $2" = "--yes deno@2.9.6" ] && shift 2 && exec deno "$@"\n';
    await Deno.writeTextFile(`${folder}/npx`, npx, { mode: 0o755 });
    await work({ PATH: `${folder}${delimiter}${Deno.env.get("PATH")}`, LC_ALL: "C" });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a script at the top of the repository; answers `q` where it asks. */
async function shell(script: string, env: Readonly<Record<string, string>>): Promise<string> {
  const child = new Deno.Command("bash", {
    args: ["-euo", "pipefail", "-c", script],
    cwd: ROOT,
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

async function outputs(folder = new URL("outputs", ROOT).pathname): Promise<string[]> {
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

Deno.test("both languages show the same commands, programs, prompts and pictures", () => {
  for (const language of ["sh", "bash", "yaml", "xml", "ts"]) {
    assert.deepEqual(blocks(CHINESE, language), blocks(README, language), language);
    assert(blocks(README, language).length > 0, language);
  }
  const pictures = (markdown: string) =>
    [...markdown.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)]
      .map((match) => match[1]);
  assert.deepEqual(pictures(CHINESE), pictures(README));
  const headings = (markdown: string) => [...markdown.matchAll(/^#+(?= )/gm)].map(String);
  assert.deepEqual(headings(CHINESE), headings(README));
  const figures = (markdown: string) =>
    [...markdown.matchAll(/\d+(?:\.\d+)? ?(?:%|ms|GiB|MiB|MB)/g)].map(String).sort();
  assert.deepEqual(figures(CHINESE), figures(README));
});

Deno.test("what README links to is there", async () => {
  for (const markdown of [README, CHINESE]) {
    for (const [, target] of markdown.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      assert((await Deno.stat(new URL(target!, ROOT))).isFile, target);
    }
  }
});

Deno.test("every task that README names exists, and helps", async () => {
  const named = new Set([...README.matchAll(/\bdeno task ([a-z:]+)/g)].map((match) => match[1]!));
  for (const name of named) assert(Object.hasOwn(configuration.tasks, name), name);
  await withCommands(async (env) => {
    for (const name of named) {
      if (name !== "check") assert.match(await shell(`deno task ${name} --help`, env), /Usage:/);
    }
  });
  for (const name of Object.keys(configuration.tasks)) {
    assert(named.has(name), `${name} is missing`);
  }
});

Deno.test("every command of README works as written", async () => {
  await withCommands((env) =>
    withoutTraces(async () => {
      for (const script of blocks(README, "sh")) await shell(script, env);
    })
  );
});

Deno.test("the Slurm array and the Kubernetes Job take a part of the batch each", async () => {
  const batch = blocks(README, "sh").find((script) => script.includes("prompts.jsonl"))!;
  const slurm = blocks(README, "bash").find((script) => script.includes("SBATCH"))!;
  const [, job] = /args: \["(.+)"\]/.exec(blocks(README, "yaml").join())!;
  await withCommands((env) =>
    withoutTraces(async () => {
      await shell(batch.replace(/^deno task create.*$/m, ""), env);
      const array = { SLURM_ARRAY_TASK_ID: "0", SLURM_ARRAY_TASK_COUNT: "8" };
      await shell(slurm, { ...env, ...array });
      await shell(job!, { ...env, JOB_COMPLETION_INDEX: "3" });
    })
  );
});

Deno.test("the example of two characters is the file, and its picture was made from it", async () => {
  const prompt = await Deno.readTextFile(new URL("models/demo/two_characters.xml", ROOT));
  assert.deepEqual(blocks(README, "xml"), [prompt]);
  const png = await Deno.readFile(new URL("models/demo/two_characters.png", ROOT));
  const recipe = readRecipe(readPngText(png));
  assert.equal(recipe.prompt.trimEnd(), prompt.trimEnd());
  const checksums = await Deno.readTextFile(new URL("checksums.txt", ROOT));
  for (const { name, sha256 } of [recipe.models.transformer, recipe.models.vae]) {
    assert(checksums.includes(`${sha256}  models/${name}/`), `${name} has other weights now`);
  }
});

Deno.test("README's pins are those of deno.json", () => {
  const imports: Readonly<Record<string, string>> = configuration.imports;
  for (const [name, specifier] of Object.entries(imports)) {
    assert(README.includes(`\`${name}\``), `${name} is missing`);
    const [, version] = new RegExp(`\`${name}\` (\\d\\S+)`).exec(README) ?? [];
    if (version !== undefined) assert.equal(specifier, `npm:${name}@${version}`);
  }
});
