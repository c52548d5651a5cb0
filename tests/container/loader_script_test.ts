/**
 * The script that installs a bundle where there is no toolkit, run by sh with a docker that writes
 * down what it is given.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { BundleError } from "../../src/container/bundle/bundle_error.ts";
import { openBundle } from "../../src/container/bundle/open_bundle.ts";
import { signFile } from "../../src/container/bundle/signature.ts";
import { NAME, project, sh } from "./_bundles.ts";
import { namesIn, sha256 } from "./_images.ts";

const MEBIBYTE = 1 << 20;

/** What `docker` does here: `load` keeps the archive, `image inspect` tells the ID in a file. */
const DOCKER = `#!/bin/sh
case "$1 $2" in
  version*) exit 0 ;;
  load*) cat > "$STATE/loaded.tar"; [ ! -e "$STATE/full" ] || { echo "no space left" >&2; exit 1; } ;;
  "image inspect") cat "$STATE/id" ;;
  tag*) echo "$@" > "$STATE/tag" ;;
  *) echo "$@" > "$STATE/run" ;;
esac
`;

async function there(volumeBytes?: number) {
  const here = await project();
  const { folder } = await here.bundle({ volumeBytes });
  const state = join(here.path, "state");
  await Deno.mkdir(state);
  await Deno.writeTextFile(join(state, "docker"), DOCKER, { mode: 0o755 });
  const { out } = await sh("sh", ["-c", `cat ${NAME}.tar* | tar -xOf - bundle.json`], {
    cwd: folder,
  });
  const { image, files } = JSON.parse(out);
  await Deno.writeTextFile(join(state, "id"), image.configDigest);
  const cwd = join(here.path, "cwd");
  await Deno.mkdir(cwd);
  return {
    path: here.path,
    folder,
    state,
    cwd,
    imageTar: files.find(({ path }: { path: string }) => path === "image.tar").sha256,
    run: (args: readonly string[] = [], env: Record<string, string> = {}) =>
      sh("sh", [join(folder, "load.sh"), ...args], {
        cwd,
        env: { DOCKER: join(state, "docker"), STATE: state, LC_ALL: "C", ...env },
      }),
    [Symbol.asyncDispose]: () => here[Symbol.asyncDispose](),
  };
}

Deno.test("the script verifies, loads the image and unpacks the rest", async () => {
  for (const volumeBytes of [undefined, MEBIBYTE]) {
    await using it = await there(volumeBytes);
    const { code, err, out } = await it.run();
    assert.equal(code, 0, err);
    assert.match(out, /Everything is as it should be\..*Done\./s);
    assert.equal(sha256(await Deno.readFile(join(it.state, "loaded.tar"))), it.imageTar);
    assert.deepEqual(namesIn(it.cwd), [`${NAME}-installed`]);
    const installed = join(it.cwd, `${NAME}-installed`);
    const expected = ["README.txt", "checksums.txt", "models", "run.sh", "sbom.spdx.json"];
    assert.deepEqual(namesIn(installed), expected);
    for (const path of ["models/vae/taesd/model.safetensors", "checksums.txt"]) {
      const original = await Deno.readFile(join(it.path, "project", path));
      assert.deepEqual(await Deno.readFile(join(installed, path)), original);
    }
    // A second time it does not touch what is there.
    assert.match((await it.run()).err, /is there already/);
  }
});

Deno.test("the image has the name of what was loaded last, as the toolkit gives it", async () => {
  await using it = await there();
  assert.equal((await it.run()).code, 0);
  const tag = await Deno.readTextFile(join(it.state, "tag"));
  assert.equal(tag.trim(), "tag newbie:cpu newbie:latest");
});

Deno.test("a list of checksums that is not the one that was told installs nothing", async () => {
  await using it = await there();
  const told = sha256(await Deno.readFile(join(it.folder, "SHA256SUMS")));
  const wrong = await it.run(["--sha256", "0".repeat(64)]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, new RegExp(`is ${told}, and should be 0000`));
  assert.deepEqual(namesIn(it.cwd), []);
  for (const kept of [told, told.toUpperCase()]) {
    assert.equal((await it.run(["--sha256", kept, "--verify"])).code, 0);
  }
  assert.equal((await it.run(["--sha256"])).code, 2);
});

Deno.test("only what a killed run left is removed, and nothing that looks alike", async () => {
  await using it = await there();
  const at = (name: string) => join(it.cwd, `${NAME}-installed.part${name}`);
  // No process has this number: Linux gives none above 4,194,304.
  for (const name of ["", "9999999", "9999998"]) await Deno.mkdir(at(name));
  await Deno.writeTextFile(join(at("9999999"), ".newbie-load"), "");
  await Deno.writeTextFile(join(at("9999998"), "thesis.txt"), "mine");
  assert.equal((await it.run()).code, 0);
  const kept = [`${NAME}-installed`, `${NAME}-installed.part`, `${NAME}-installed.part9999998`];
  assert.deepEqual(namesIn(it.cwd).filter((name) => !name.includes("/")), kept);
  assert.equal(await Deno.readTextFile(join(at("9999998"), "thesis.txt")), "mine");
});

Deno.test("what was unpacked runs with nothing but its models and outputs", async () => {
  await using it = await there();
  await it.run();
  const installed = join(it.cwd, `${NAME}-installed`);
  const env = { DOCKER: join(it.state, "docker"), STATE: it.state, GPUS: "" };
  const { code, err } = await sh("sh", [join(installed, "run.sh"), "create", "--seed", "1"], {
    env,
  });
  assert.equal(code, 0, err);
  const run = (await Deno.readTextFile(join(it.state, "run"))).trim();
  assert.match(run, /^run --rm --interactive --network none --read-only /);
  for (const path of ["models/next-dit-3.5b", "models/vae", "checksums.txt"]) {
    assert(run.includes(`--volume ${installed}/${path}:/app/${path}:ro`), run);
  }
  assert(run.includes(`--volume ${installed}/outputs:/app/outputs `), run);
  assert(!run.includes("--gpus"), run);
  assert.match(run, / newbie:cpu create --seed 1$/);
});

Deno.test("whatever is damaged or missing is named, and nothing is installed", async () => {
  await using it = await there(MEBIBYTE);
  const third = join(it.folder, `${NAME}.tar.003`);
  const bytes = await Deno.readFile(third);
  bytes[77]! ^= 2;
  await Deno.writeFile(third, bytes);
  await Deno.remove(join(it.folder, `${NAME}.tar.002`));
  for (const args of [[], ["--verify"]]) {
    const { code, err } = await it.run(args);
    assert.equal(code, 1);
    assert.match(err, /missing: newbie-0\.1\.0-cpu\.tar\.002\n/);
    assert.match(err, /damaged: \S+newbie-0\.1\.0-cpu\.tar\.003\n/);
    assert.match(err, /nothing was installed/);
  }
  assert.deepEqual(namesIn(it.cwd), []);
  assert(!namesIn(it.state).includes("loaded.tar"));
  const chinese = await it.run([], { LC_ALL: "zh_CN.UTF-8" });
  assert.match(chinese.err, /缺失：newbie-0\.1\.0-cpu\.tar\.002\n.*未安装任何内容/s);
});

Deno.test("volumes on other discs are found, and names may have spaces", async () => {
  await using it = await there(MEBIBYTE);
  const disc = join(it.path, "a disc");
  await Deno.mkdir(disc);
  for (const number of [1, 3]) {
    const name = `${NAME}.tar.00${number}`;
    await Deno.rename(join(it.folder, name), join(disc, name));
  }
  const { code, err } = await it.run(["--into", "my folder", disc]);
  assert.equal(code, 0, err);
  assert.equal(sha256(await Deno.readFile(join(it.state, "loaded.tar"))), it.imageTar);
  assert.deepEqual(namesIn(it.cwd), ["my folder"]);
});

Deno.test("an engine that is absent, full or has another image leaves nothing", async () => {
  await using it = await there();
  const absent = await it.run([], { DOCKER: "no-such-docker" });
  assert.equal(absent.code, 1);
  assert.match(absent.err, /no-such-docker is not installed/);
  await Deno.writeTextFile(join(it.state, "id"), "sha256:other");
  const other = await it.run();
  assert.equal(other.code, 1);
  assert.match(other.err, /has another image under the name newbie:cpu: sha256:other/);
  await Deno.writeTextFile(join(it.state, "full"), "");
  const full = await it.run();
  assert.equal(full.code, 1);
  assert.match(full.err, /did not take the image; nothing was installed/);
  assert.deepEqual(namesIn(it.cwd), []);
});

Deno.test("an interrupted script leaves nothing", async () => {
  await using it = await there();
  // A docker that never ends takes the place of a slow one.
  const slow = DOCKER.replace("load*)", 'load*) : > "$STATE/loading"; sleep 60;');
  await Deno.writeTextFile(join(it.state, "docker"), slow, { mode: 0o755 });
  const child = new Deno.Command("setsid", {
    args: ["sh", join(it.folder, "load.sh")],
    cwd: it.cwd,
    env: { DOCKER: join(it.state, "docker"), STATE: it.state },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  while (!namesIn(it.state).includes("loading")) await new Promise((go) => setTimeout(go, 20));
  // As a terminal does: to everything that runs in it.
  await sh("kill", ["-INT", "--", `-${child.pid}`]);
  assert.equal((await child.status).code, 130);
  assert.deepEqual(namesIn(it.cwd), []);
});

Deno.test("the script helps, and refuses what it does not know", async () => {
  await using it = await there();
  const help = await it.run(["--help"]);
  assert.equal(help.code, 0);
  assert.match(
    help.out,
    /sh load\.sh \[--verify\] \[--sha256 DIGEST\] \[--key FILE\] \[--into FOLDER\]/,
  );
  for (const args of [["--what"], ["--into"], ["no-such-folder"]]) {
    assert.equal((await it.run(args)).code, 2);
  }
  assert.equal((await it.run(["--verify"])).code, 0);
  assert.deepEqual(namesIn(it.cwd), []);
});

/** Keys of both kinds, without passphrases; a kind whose program is not here is left out. */
async function keysIn(
  folder: string,
): Promise<readonly (readonly [secret: string, own: string])[]> {
  const keys: (readonly [string, string])[] = [];
  const isThere = async (program: string) =>
    (await sh("sh", ["-c", `command -v ${program}`], { cwd: folder })).code === 0;
  if (await isThere("ssh-keygen")) {
    await sh("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", "ssh"], { cwd: folder });
    keys.push([join(folder, "ssh"), join(folder, "ssh.pub")]);
  }
  if (await isThere("minisign")) {
    await sh("minisign", ["-G", "-W", "-s", "mini", "-p", "mini.pub"], { cwd: folder });
    keys.push([join(folder, "mini"), join(folder, "mini.pub")]);
  }
  return keys;
}

Deno.test("a signed bundle is loaded with its key, and refused with another or when it was changed", async () => {
  await using it = await there();
  const sums = join(it.folder, "SHA256SUMS");
  for (const folder of ["own", "other"]) await Deno.mkdir(join(it.state, folder));
  const own = await keysIn(join(it.state, "own"));
  const other = await keysIn(join(it.state, "other"));
  const check = async (key: string) => {
    const script = await it.run(["--verify", "--key", key]);
    const task = await openBundle([it.folder], { key }).then(() => true, (error) => {
      assert(error instanceof BundleError && error.code === "not-signed", error);
      return false;
    });
    assert.equal(script.code === 0, task, script.err);
    return task;
  };
  for (const [index, [secret, key]] of own.entries()) {
    assert.equal(await check(key), false, "not signed yet");
    await signFile(sums, secret);
    assert.equal(await check(key), true);
    assert.equal(await check(other[index]![1]), false);
    const text = await Deno.readTextFile(sums);
    await Deno.writeTextFile(sums, `${text}${"0".repeat(64)}  more\n`);
    assert.equal(await check(key), false);
    await Deno.writeTextFile(sums, text);
  }
});
