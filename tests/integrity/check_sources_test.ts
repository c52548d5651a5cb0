/** Compares code with what git itself wrote: git is run to make the checkouts. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { checkSources, SOURCE_LIST } from "../../src/integrity/mod.ts";
import { temporaryFolder } from "../_folders.ts";
import { withShortReads } from "../_short_reads.ts";
import { sh } from "./_packages.ts";

const FILES = {
  "deno.json": "{}\n",
  "src/mod.ts": "export {};\n",
  // Longer names than an index's flags have room for, and names that share their beginning.
  [`src/${"long_".repeat(850)}/x.ts`.slice(0, 240) + ".ts"]: "1\n",
  "src/mod_two.ts": "export const 二 = 2;\n",
  "tasks/create.ts": "console.log(1);\n",
  "docs/page.md": "# Page\n",
};

async function folderOf(files: Readonly<Record<string, string>>) {
  const folder = await temporaryFolder();
  const write = async (path: string, text: string) => {
    await Deno.mkdir(join(folder.path, path, ".."), { recursive: true });
    await Deno.writeTextFile(join(folder.path, path), text);
  };
  for (const [path, text] of Object.entries(files)) await write(path, text);
  return { ...folder, write };
}

async function git(path: string, ...args: string[]): Promise<string> {
  const who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "core.fsmonitor=false"];
  const result = await sh("git", [...who, ...args], path);
  assert.equal(result.code, 0, `${args.join(" ")}: ${result.err}`);
  return result.out.trim();
}

/** Files that git has committed. */
async function checkout(files = FILES, ...init: string[]) {
  const folder = await folderOf(files);
  await git(folder.path, "init", "--quiet", ...init);
  await git(folder.path, "add", ".");
  await git(folder.path, "commit", "--quiet", "--message", "one");
  const check = async () => {
    const { against, commit, sound, ...found } = await checkSources(folder.path, new Map());
    assert.equal(against, "git");
    assert.equal(commit, await git(folder.path, "rev-parse", "HEAD"));
    return { sound, ...found };
  };
  return { ...folder, check };
}

Deno.test("a pipe in git's place is told, and not waited for", async () => {
  await using it = await checkout();
  await Deno.remove(join(it.path, ".git"), { recursive: true });
  assert.equal((await sh("mkfifo", [".git"], it.path)).code, 0);
  await assert.rejects(checkSources(it.path, new Map()), /it is a pipe, a device or a socket/);
});

Deno.test("a pipe in a pack's place is told, and not waited for", async () => {
  await using it = await checkout();
  await git(it.path, "gc", "--quiet", "--prune=now");
  const [index] = await packsOf(it.path);
  const pack = index!.replace(/idx$/, "pack");
  await Deno.remove(pack);
  assert.equal((await sh("mkfifo", [pack], it.path)).code, 0);
  await assert.rejects(checkSources(it.path, new Map()), /it is a pipe, a device or a socket/);
});

Deno.test("a pipe in the code's place is changed code, and not waited for", async () => {
  await using it = await checkout();
  await Deno.remove(join(it.path, "src/mod.ts"));
  assert.equal((await sh("mkfifo", ["src/mod.ts"], it.path)).code, 0);
  assert.deepEqual((await it.check()).changed, ["src/mod.ts"]);
});

const NOTHING = { changed: [], missing: [], unlisted: [] };

for (const [name, init] of [["SHA-1", []], ["SHA-256", ["--object-format=sha256"]]] as const) {
  Deno.test(`code is compared with git's commit (${name})`, async () => {
    await using it = await checkout(FILES, ...init);
    assert.deepEqual(await it.check(), { sound: 5, ...NOTHING });

    await it.write("src/mod.ts", "export {}; \n");
    await it.write("docs/page.md", "# Another\n");
    await Deno.remove(join(it.path, "tasks/create.ts"));
    await it.write("package.json", "{}");
    await it.write("tasks/deno.json", "{}");
    await it.write("src/.DS_Store", "");
    assert.deepEqual(await it.check(), {
      sound: 3,
      changed: ["src/mod.ts"],
      missing: ["tasks/create.ts"],
      unlisted: ["package.json", "tasks/deno.json"],
    });
  });
}

Deno.test("git's own index proves nothing: a changed file is found that was added to it", async () => {
  await using it = await checkout();
  const ways: (readonly (readonly string[])[])[] = [
    [["add", "."]],
    [["update-index", "--assume-unchanged", "src/mod.ts"]],
    [["update-index", "--skip-worktree", "src/mod.ts"]],
    [["rm", "--quiet", "--cached", "src/mod.ts"]],
  ];
  for (const commands of ways) {
    await it.write("src/mod.ts", "export const changed = 1;\n");
    for (const command of commands) await git(it.path, ...command);
    assert.deepEqual((await it.check()).changed, ["src/mod.ts"], commands.join());
    await git(it.path, "read-tree", "HEAD");
  }
});

Deno.test("objects are found in packs, as changes of others, and in other repositories", async () => {
  const line = (index: number) => `export const value${index} = "${"x".repeat(index)}";\n`;
  const long = Array.from({ length: 200 }, (_, index) => line(index));
  const many = Object.fromEntries(long.map((text, index) => [`src/file_${index}.ts`, text]));
  await using it = await checkout({ ...FILES, ...many });
  for (let round = 0; round < 5; round++) {
    await it.write("src/file_1.ts", `${line(round)}// round\n`);
    await git(it.path, "commit", "--quiet", "--all", "--message", "more");
  }
  await git(it.path, "gc", "--quiet", "--aggressive", "--prune=now");
  const packed = await git(it.path, "verify-pack", "-v", ...await packsOf(it.path));
  assert.match(packed, /chain length = [1-9]/, "there are no changes to read");
  assert.deepEqual(await it.check(), { sound: 205, ...NOTHING });
  assert.deepEqual(await withShortReads(() => it.check()), { sound: 205, ...NOTHING });

  await using other = await temporaryFolder();
  const borrowed = join(other.path, "borrowed");
  await git(other.path, "clone", "--quiet", "--shared", it.path, borrowed);
  await git(borrowed, "checkout", "--quiet", "--detach");
  await Deno.writeTextFile(join(borrowed, "src/mod.ts"), "");
  const { sound, changed } = await checkSources(borrowed, new Map());
  assert.deepEqual([sound, changed], [204, ["src/mod.ts"]]);
});

async function packsOf(path: string): Promise<string[]> {
  const folder = join(path, ".git/objects/pack");
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => join(folder, name));
  return names.filter((name) => name.endsWith(".idx"));
}

Deno.test("what a link leads to is not what git has, be it the same", async () => {
  await using it = await checkout();
  await using elsewhere = await temporaryFolder();
  const copy = join(elsewhere.path, "copy.ts");
  await Deno.copyFile(join(it.path, "src/mod.ts"), copy);
  await Deno.remove(join(it.path, "src/mod.ts"));
  await Deno.symlink(copy, join(it.path, "src/mod.ts"));
  await Deno.rename(join(it.path, "tasks"), join(elsewhere.path, "tasks"));
  await Deno.symlink(join(elsewhere.path, "tasks"), join(it.path, "tasks"));
  assert.deepEqual((await it.check()).changed, ["src/mod.ts", "tasks/create.ts"]);
});

Deno.test({
  name: "a file that was made a program is found, where git keeps that",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using it = await checkout();
    await Deno.chmod(join(it.path, "src/mod.ts"), 0o755);
    assert.deepEqual((await it.check()).changed, ["src/mod.ts"]);
    await git(it.path, "config", "core.fileMode", "false");
    assert.deepEqual((await it.check()).changed, []);
  },
});

Deno.test("a further working tree has a commit of its own", async () => {
  await using it = await checkout();
  await using other = await temporaryFolder();
  const tree = join(other.path, "tree");
  await git(it.path, "worktree", "add", "--quiet", tree);
  await Deno.writeTextFile(join(tree, "src/mod.ts"), "");
  await git(tree, "commit", "--quiet", "--all", "--message", "two");
  await Deno.writeTextFile(join(tree, "tasks/create.ts"), "");
  const { against, commit, changed } = await checkSources(tree, new Map());
  assert.deepEqual([against, changed], ["git", ["tasks/create.ts"]]);
  assert.notEqual(commit, await git(it.path, "rev-parse", "HEAD"));
});

Deno.test("without a commit, or with a damaged one, nothing is taken for sound", async () => {
  await using it = await folderOf(FILES);
  await git(it.path, "init", "--quiet");
  await git(it.path, "add", ".");
  await assert.rejects(checkSources(it.path, new Map()), /names no commit.*git status/);

  await git(it.path, "commit", "--quiet", "--message", "one");
  // The tree of another commit, sound by itself, in the place of this one's.
  const tree = await git(it.path, "rev-parse", "HEAD^{tree}");
  await it.write("src/mod.ts", "export const changed = 1;\n");
  await git(it.path, "add", ".");
  const other = await git(it.path, "write-tree");
  const at = (id: string) => join(it.path, ".git/objects", id.slice(0, 2), id.slice(2));
  await Deno.chmod(at(tree), 0o644);
  await Deno.copyFile(at(other), at(tree));
  await assert.rejects(checkSources(it.path, new Map()), new RegExp(`tree ${tree} is damaged`));
  await Deno.remove(at(tree));
  await assert.rejects(checkSources(it.path, new Map()), new RegExp(`tree ${tree} is missing`));
});

Deno.test("without git, code is compared with the list of sources", async () => {
  await using it = await folderOf(FILES);
  assert.equal((await checkSources(it.path, new Map())).against, "nothing");
  const sums = await sh("sha256sum", ["deno.json", "src/mod.ts", "tasks/create.ts"], it.path);
  await it.write(SOURCE_LIST, sums.out);
  await it.write("tasks/create.ts", "");
  await Deno.remove(join(it.path, "src/mod_two.ts"));
  const long = Object.keys(FILES)[2]!;
  assert.deepEqual(await checkSources(it.path, new Map()), {
    against: "list",
    sound: 2,
    changed: ["tasks/create.ts"],
    missing: [],
    unlisted: [long],
  });
});
