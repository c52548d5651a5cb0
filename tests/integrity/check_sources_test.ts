/** Compares code with what git itself wrote: git is run to make the checkouts. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { checkSources, SOURCE_LIST } from "../../src/integrity/mod.ts";
import { temporaryFolder } from "../_folders.ts";
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

async function git(path: string, ...args: string[]): Promise<void> {
  const result = await sh("git", ["-c", "core.fsmonitor=false", ...args], path);
  assert.equal(result.code, 0, args.join(" "));
}

for (
  const [name, init, version] of [
    ["version 2", [], "2"],
    ["version 4", [], "4"],
    ["SHA-256", ["--object-format=sha256"], "2"],
  ] as const
) {
  Deno.test(`code is compared with git's index (${name})`, async () => {
    await using it = await folderOf(FILES);
    await git(it.path, "init", "--quiet", ...init);
    await git(it.path, "config", "index.version", version);
    await git(it.path, "add", ".");
    const sound = await checkSources(it.path, new Map());
    assert.deepEqual(sound, { against: "git", sound: 5, changed: [], missing: [], unlisted: [] });

    await it.write("src/mod.ts", "export {}; \n");
    await it.write("docs/page.md", "# Another\n");
    await Deno.remove(join(it.path, "tasks/create.ts"));
    await it.write("package.json", "{}");
    assert.deepEqual(await checkSources(it.path, new Map()), {
      against: "git",
      sound: 3,
      changed: ["src/mod.ts"],
      missing: ["tasks/create.ts"],
      unlisted: ["package.json"],
    });
  });
}

Deno.test("a further working tree has an index of its own", async () => {
  await using it = await folderOf(FILES);
  await using other = await temporaryFolder();
  const tree = join(other.path, "tree");
  await git(it.path, "init", "--quiet");
  await git(it.path, "add", ".");
  const who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
  await git(it.path, ...who, "commit", "--quiet", "--message", "one");
  await git(it.path, "worktree", "add", "--quiet", tree);
  await Deno.writeTextFile(join(tree, "src/mod.ts"), "");
  const { against, changed } = await checkSources(tree, new Map());
  assert.deepEqual([against, changed], ["git", ["src/mod.ts"]]);
});

Deno.test("an index that was cut short is said to be damaged", async () => {
  await using it = await folderOf(FILES);
  await git(it.path, "init", "--quiet");
  await git(it.path, "add", ".");
  const index = join(it.path, ".git/index");
  await Deno.writeFile(index, (await Deno.readFile(index)).subarray(0, 100));
  await assert.rejects(checkSources(it.path, new Map()), /git status/);
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
