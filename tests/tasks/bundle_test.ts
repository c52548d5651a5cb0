/** deno task bundle, load and compare, with the permissions that deno.json gives them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { project } from "../container/_bundles.ts";
import { layer, legacyArchive, temporaryFolder } from "../container/_images.ts";
import { ROOT, runTask } from "./_task_command.ts";

/** No engine listens there. */
const NOWHERE = { DOCKER_HOST: "unix:///var/run/docker.sock.nobody" };

Deno.test("deno task load --verify needs no engine, and says what a bundle is", async () => {
  await using here = await project();
  const { folder, image, sha256 } = await here.bundle({ volumeBytes: 1 << 20 });
  const { code, out, err } = await runTask("load", [folder, "--verify", "--json"], {
    env: NOWHERE,
  });
  assert.equal(code, 0, err);
  const found = JSON.parse(out);
  assert.equal(found.image.digest, image);
  assert.equal(found.sha256, sha256);
  assert.match(err, /newbie-0\.1\.0-cpu is whole: \d volumes, /);

  const volume = join(folder, "newbie-0.1.0-cpu.tar.002");
  await Deno.truncate(volume, 1000);
  const damaged = await runTask("load", [folder, "--verify"], { env: NOWHERE });
  assert.equal(damaged.code, 1);
  assert.match(damaged.err, /^error: Damaged or cut off: \S+tar\.002\. Nothing was installed\./);
  const chinese = await runTask("load", [folder, "--verify", "--lang", "zh"], { env: NOWHERE });
  assert.match(chinese.err, /^错误：已损坏或不完整：\S+tar\.002。未安装任何内容。/);
});

Deno.test("deno task compare names the file in the layer, and exits with 1", async () => {
  await using folder = await temporaryFolder();
  const paths = [];
  for (const text of ["one", "onE"]) {
    const path = join(folder.path, `${text}.tar`);
    await Deno.writeFile(path, await legacyArchive({ layers: [await layer([["app/x", text]])] }));
    paths.push(path);
  }
  const before = outputs();
  const same = await runTask("compare", [paths[0]!, paths[0]!]);
  assert.deepEqual([same.code, same.out], [0, "The images are the same.\n"]);
  const { code, out, err } = await runTask("compare", paths);
  assert.equal(code, 1);
  assert.equal(out, "layer 1, app/x: content, from byte 2 on\n");
  assert.equal(err, "The images differ in 1 place.\n");
  const json = JSON.parse((await runTask("compare", [...paths, "--json"])).out);
  assert.equal(json.differences[0].path, "app/x");
  assert.deepEqual(outputs(), before);
});

Deno.test("without an engine, bundle and load say so before they do anything", async () => {
  await using here = await project();
  const { folder } = await here.bundle();
  for (const [name, args] of [["bundle", []], ["load", [folder]]] as const) {
    const { code, err } = await runTask(name, args, { env: NOWHERE });
    assert.equal(code, 1, err);
    assert.match(err, /container engine/);
  }
});

Deno.test("wrong requests exit with 2", async () => {
  for (
    const [name, ...args] of [
      ["bundle", "--split", "4"],
      ["bundle", "--split", "4X"],
      ["load"],
      ["load", "no/such/folder", "--verify"],
      ["load", "--sha256", "12", "."],
      ["compare", "README.md"],
      ["compare", "no", "such"],
    ] as const
  ) {
    const { code, err } = await runTask(name, args, { env: NOWHERE });
    assert.equal(code, 2, `${name} ${args.join(" ")}: ${err}`);
  }
});

function outputs(): string[] {
  try {
    return [...Deno.readDirSync(new URL("outputs", ROOT))].map(({ name }) => name).sort();
  } catch {
    return [];
  }
}
