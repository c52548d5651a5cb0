/** Runs `deno task verify` and `deno task checksums` as a user does, in copies that are damaged. */
import assert from "node:assert/strict";
import { BASE_IMAGES } from "../../src/integrity/pins.ts";
import { LIBRARIES } from "../../src/integrity/mod.ts";
import { COMMON, sh } from "../integrity/_packages.ts";
import { clone } from "./_clone.ts";

const VAE = "models/demo/vae/model.safetensors";
const DIT = "models/demo/next-dit/model.safetensors";
const PATCHED = `${COMMON}/dist/cjs/tensor-impl.js`;
const { os, arch } = Deno.build;
const BINDING = `${LIBRARIES}/${os === "windows" ? "win32" : os}/` +
  `${arch === "aarch64" ? "arm64" : "x64"}/onnxruntime_binding.node`;

/** A clone with its patches applied, in which all is as pinned, and git. */
async function soundClone() {
  const it = await clone(["models", "checksums.txt", "packages.txt", "Dockerfile", "deploy"]);
  const { code, err } = await it.task("install");
  assert.equal(code, 0, err);
  const git = async (...args: string[]) => {
    const who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
    const { code, out } = await sh("git", [...who, ...args], it.path);
    assert.equal(code, 0);
    return out.trim();
  };
  await git("init", "--quiet");
  const files = ["src", "tasks", "patches", "deploy", "deno.json", "Dockerfile", "packages.txt"];
  await git("add", ...files);
  await git("commit", "--quiet", "--message", "one");
  return { ...it, git };
}

function flip(at: number) {
  return (bytes: Uint8Array) => bytes.with(at, bytes[at]! ^ 1);
}

const asText = (change: (text: string) => string) => (bytes: Uint8Array) =>
  new TextEncoder().encode(change(new TextDecoder().decode(bytes)));

Deno.test("what is as pinned is said to be, in both languages and as JSON", async () => {
  await using it = await soundClone();
  const english = await it.task("verify");
  assert.equal(english.code, 0, english.out + english.err);
  assert.match(english.out, /^✓ checksums\.txt: \d+ files as listed/m);
  assert.match(english.out, /^✓ patches\/fix_dtype\.patch: applied$/m);
  assert.match(english.out, /^✓ packages\.txt: the code of \d+ packages is as listed$/m);
  assert.match(english.out, /^✓ the toolkit's code: \d+ files as git has them in [0-9a-f]{40}$/m);
  assert.match(english.out, /^✓ Dockerfile: builds on the pinned images$/m);
  assert.match(english.out, /^✓ demo model models\/demo: weights fit their config\.json$/m);
  assert.match(english.out, /\nAll is as pinned\.\n$/);
  assert.equal(english.err, "");
  const chinese = await it.task("verify", "--lang", "zh");
  assert.match(chinese.out, /一切与固定的版本一致。\n$/);
  const json = await it.task("verify", "--json");
  assert.equal(json.out.trimEnd().split("\n").length, 1);
  const { isSound, files, patches, pins, dockerfile, models } = JSON.parse(json.out);
  assert.equal(isSound, true);
  assert.deepEqual([files.missing, files.changed, files.unlisted, pins, dockerfile], [
    [],
    [],
    [],
    [],
    [],
  ]);
  assert.equal(patches[0].state, "applied");
  assert.deepEqual(models[0], {
    folder: "models/demo",
    isSound: true,
    layout: "toolkit",
    isDemo: true,
  });
  // Bytes, not names: sha256sum finds the same.
  const sums = ["-c", "--quiet", "--ignore-missing", "checksums.txt"];
  assert.equal((await sh("sha256sum", sums, it.path)).code, 0);
});

Deno.test("everything that drifted is named at once, and nothing is changed", async () => {
  await using it = await soundClone();
  await it.change(VAE, flip(1_000_000));
  await it.change(DIT, (bytes) => bytes.subarray(0, 1_000_000));
  await it.change(BINDING, flip(5000));
  await Deno.remove(it.at("models/demo/health_check.png"));
  await Deno.writeTextFile(it.at("models/demo/vae/extra.safetensors"), "");
  await it.change(
    "patches/fix_dtype.patch",
    asText((text) => text.replace("reads no", "reads NO")),
  );
  await it.change("deno.lock", asText((text) => text.replace(/(?<=sha512-)./g, "A")));
  await it.change(
    "Dockerfile",
    asText((text) => text.replaceAll(BASE_IMAGES.cuda.digest, `sha256:${"0".repeat(64)}`)),
  );
  const { code, out, err } = await it.task("verify");
  assert.equal(code, 1);
  for (const path of [VAE, DIT, BINDING, "patches/fix_dtype.patch", "deno.lock"]) {
    assert.match(
      out,
      new RegExp(`^✗ ${RegExp.escape(path)}: changed: SHA-256 is [0-9a-f]{64}`, "m"),
    );
  }
  assert.match(out, /^✗ models\/demo\/health_check\.png: missing$/m);
  assert.match(out, /^✗ models\/demo\/vae\/extra\.safetensors: not listed$/m);
  assert.match(out, /^✗ patches\/fix_dtype\.patch: does not fit$/m);
  assert.match(out, /^ {4}@@ -\d+,6 \+\d+,11 @@$/m);
  assert.match(out, /^✗ Dockerfile: line \d+: .*@sha256:0{64} is not a pinned image/m);
  assert(out.includes(`does not build on the pinned ${BASE_IMAGES.cuda.name}`));
  assert.match(out, /^✗ models\/demo: .*next-dit\/model\.safetensors/m);
  assert.match(err, /^\d+ things are not as pinned\.\n$/);
  const json = await it.task("verify", "--json", "--lang", "zh");
  assert.equal(json.code, 1);
  const { error, isSound, files } = JSON.parse(json.out);
  assert.match(error.message, /不一致/);
  assert.equal(isSound, false);
  assert.equal(files.changed.length, 5);
  assert.match(json.err, /✗ models\/demo\/health_check\.png：缺失/);
});

Deno.test("a patch is said to be applied, not applied, or not to fit with its hunk", async () => {
  await using it = await soundClone();
  const { code } = await sh("git", ["apply", "--reverse", "patches/fix_dtype.patch"], it.path);
  assert.equal(code, 0);
  const not = await it.task("verify");
  assert.equal(not.code, 1);
  assert.match(not.out, /^✗ patches\/fix_dtype\.patch: not applied: deno task install$/m);
  assert.equal((await it.task("install")).code, 0);
  assert.equal((await it.task("verify")).code, 0);
  // The package is another one than the patch was made for.
  await it.change(PATCHED, asText((text) => text.replace("reads no byte", "reads a byte")));
  const misfit = await it.task("verify");
  assert.equal(misfit.code, 1);
  assert.match(misfit.out, /^✗ patches\/fix_dtype\.patch: does not fit$/m);
  assert(misfit.out.includes(`  ${PATCHED}\n    Hunk 1:\n    @@ -`));
  assert.match(misfit.out, /rm -rf node_modules && deno task install/);
});

Deno.test("weights that do not fit their config.json are found without being read", async () => {
  await using it = await soundClone();
  await it.change(
    "models/demo/vae/config.json",
    asText((text) => {
      const config = JSON.parse(text);
      return JSON.stringify({ ...config, latent_channels: 4 });
    }),
  );
  assert.equal((await it.task("checksums", "--write")).code, 0);
  const { code, out } = await it.task("verify");
  assert.equal(code, 1);
  const findings = out.split("\n").filter((line) => line.startsWith("✗"));
  assert.equal(findings.length, 1, out);
  assert.match(
    findings[0]!,
    /^✗ models\/demo: models\/demo\/vae\/config\.json: latent_channels is 4, .* needs 16/,
  );
});

Deno.test("checksums lists weights that were put in place, and says what changed", async () => {
  await using it = await soundClone();
  const right = await it.task("checksums");
  assert.equal(right.code, 0, right.out + right.err);
  assert.equal(right.out, "checksums.txt is right.\n");
  const before = await Deno.readTextFile(it.at("checksums.txt"));
  const slot = "models/vae/taesd";
  await Deno.mkdir(it.at(slot), { recursive: true });
  await Deno.copyFile(it.at(VAE), it.at(`${slot}/model.safetensors`));
  assert.match((await it.task("verify")).out, /taesd\/model\.safetensors: not listed/);

  const stale = await it.task("checksums");
  assert.equal(stale.code, 1);
  assert.equal(stale.out, `${slot}/model.safetensors: new\n`);
  assert.match(stale.err, /deno task checksums --write/);
  assert.equal(await Deno.readTextFile(it.at("checksums.txt")), before, "nothing was written");

  const written = await it.task("checksums", "--write", "--json");
  assert.deepEqual(JSON.parse(written.out), {
    written: true,
    added: [`${slot}/model.safetensors`],
    changed: [],
    removed: [],
  });
  const { out: sum } = await sh("sha256sum", [`${slot}/model.safetensors`], it.path);
  const lines = (await Deno.readTextFile(it.at("checksums.txt"))).split("\n");
  assert(lines.includes(sum.trim()));
  assert.deepEqual(lines.filter((line) => line !== sum.trim()).join("\n"), before);
  assert.deepEqual([...Deno.readDirSync(it.path)].filter(({ name }) => name.endsWith(".part")), []);

  await Deno.remove(it.at("models/vae"), { recursive: true });
  const removed = await it.task("checksums", "--write", "--lang", "zh");
  assert.match(removed.out, /taesd\/model\.safetensors：已不存在/);
  assert.equal(await Deno.readTextFile(it.at("checksums.txt")), before);
});

Deno.test("a list that is damaged is named with its line, and can be made anew", async () => {
  await using it = await soundClone();
  const before = await Deno.readTextFile(it.at("checksums.txt"));
  await it.change("checksums.txt", asText((text) => text.replace(/\n.{10}/, "\n")));
  const damaged = await it.task("verify");
  assert.equal(damaged.code, 1);
  assert.match(damaged.out, /^✗ checksums\.txt:2: this is no line of sha256sum/m);
  assert.equal((await it.task("checksums", "--write")).code, 0);
  assert.equal(await Deno.readTextFile(it.at("checksums.txt")), before);
  await it.change("checksums.txt", asText((text) => text.replace(/^.*providers_cuda.*\n/m, "")));
  const without = await it.task("verify");
  assert.equal(without.code, 1);
  assert.match(without.out, /libonnxruntime_providers_cuda\.so with its pinned checksum/);
});

Deno.test("code that was changed is named: a package's, the toolkit's, and the list that tells", async () => {
  await using it = await soundClone();
  const { git } = it;
  const commit = await git("rev-parse", "HEAD");
  const [kept] = (await sh("sha256sum", ["checksums.txt"], it.path)).out.split(" ");
  const sound = await it.task("verify", "--sha256", kept!, "--commit", commit);
  assert.equal(sound.code, 0, sound.out);
  assert.match(
    sound.out,
    new RegExp(`^✓ the toolkit's code: \\d+ files as git has them in ${commit}$`, "m"),
  );
  assert.match(sound.out, /^✓ the toolkit's code: the commit is the one that you keep$/m);
  assert.match(sound.out, /^✓ checksums\.txt: its own SHA-256 is the one that you keep$/m);

  await it.change(`${COMMON}/package.json`, asText((text) => `${text} `));
  await it.change("deno.json", asText((text) => text.replaceAll("--deny-net ", "")));
  await it.change("src/kernels/kernels.ptx", asText((text) => `// \n${text}`));
  await it.change("deploy/slurm.sh", asText((text) => `${text}# \n`));
  await it.change("models/demo/vae/config.json", asText((text) => `${text} `));
  assert.equal((await it.task("checksums", "--write")).code, 0);
  const { code, out } = await it.task("verify", "--sha256", kept!);
  assert.equal(code, 1);
  assert.match(out, new RegExp(`^✗ ${COMMON}: its files are not those`, "m"));
  assert.match(out, /^✗ deno\.json: changed$/m);
  assert.match(out, /^✗ src\/kernels\/kernels\.ptx: changed$/m);
  assert.match(out, /^✗ deploy\/slurm\.sh: changed$/m);
  assert.match(
    out,
    new RegExp(`^✗ checksums\\.txt: its own SHA-256 is .*, and should be ${kept}`, "m"),
  );
  assert.equal((await it.task("verify", "--sha256", "abc")).code, 2);

  // What was committed is as git has it, but not as it was kept.
  await git("commit", "--quiet", "--all", "--message", "two");
  const committed = await it.task("verify", "--commit", commit);
  assert.equal(committed.code, 1);
  assert.doesNotMatch(committed.out, /changed$/m);
  const moved = `✗ the toolkit's code: the commit is [0-9a-f]{40}, and should be ${commit}`;
  assert.match(committed.out, new RegExp(`^${moved}$`, "m"));
  await Deno.remove(it.at(".git"), { recursive: true });
  const without = await it.task("verify", "--commit", commit);
  assert.match(without.out, /^✗ the toolkit's code: there is no commit here, and should be/m);
  const uncompared = await it.task("verify");
  assert.equal(uncompared.code, 1);
  assert.match(uncompared.out, /^✗ the toolkit's code: cannot be compared/m);
  assert.equal((await it.task("verify", "--commit", commit.slice(0, 12))).code, 2);
});

Deno.test({
  name: "code that every user may change is named, and packages are not laid so",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using it = await soundClone();
    const sound = await it.task("verify");
    assert.equal(sound.code, 0, sound.out);
    assert.doesNotMatch(sound.out, /every user/);
    await Deno.chmod(it.at("tasks/create.ts"), 0o646);
    await Deno.chmod(it.at("src"), 0o777);
    const { code, out } = await it.task("verify");
    assert.equal(code, 0, out);
    assert.match(
      out,
      /^· every user of this machine may change 2 files of the code, such as src$/m,
    );
    assert.match(out, /chmod -R o-w src tasks$/m);
    // Nobody but its owner may remove a file there.
    await Deno.chmod(it.at("src"), 0o1777);
    assert.match((await it.task("verify")).out, /may change tasks\/create\.ts$/m);
  },
});

Deno.test("no picture is made with weights that are not the listed ones", async () => {
  await using it = await soundClone();
  const sound = await it.task("test");
  assert.equal(sound.code, 0, sound.err);
  // The lowest bit of one weight: no eye would see it.
  await it.change(VAE, flip(1_000_000));
  await Deno.remove(it.at("success_output.png"));
  const refused = await it.task("test");
  assert.equal(refused.code, 1);
  assert.match(refused.err, /vae\/model\.safetensors is not the file that checksums\.txt lists/);
  await assert.rejects(Deno.stat(it.at("success_output.png")), Deno.errors.NotFound);
  const create = ["create", "--prompt", "1girl", "--steps", "1", "--lang", "zh"];
  const chinese = await it.task(...create);
  assert.equal(chinese.code, 1);
  assert.match(chinese.err, /与 checksums\.txt 中的记录不符/);
  assert.equal((await it.task("checksums", "--write")).code, 0);
  assert.equal((await it.task(...create)).code, 0);
});

Deno.test("create believes its cache, and with --strict its eyes", async () => {
  await using it = await soundClone();
  const create = async (...more: string[]) =>
    (await it.task("create", "--prompt", "1girl", "--steps", "1", ...more)).code;
  // The cache remembers no file that was written a moment ago.
  await new Promise((resolve) => setTimeout(resolve, 2100));
  assert.equal(await create(), 0);
  const cache = it.at(".cache/checksums.json");
  const remembered = await Deno.readTextFile(cache);
  const list = await Deno.readTextFile(it.at("checksums.txt"));
  const [, sum] = new RegExp(`^(\\w+)  ${RegExp.escape(VAE)}$`, "m").exec(list)!;
  assert(remembered.includes(sum!));
  await Deno.writeTextFile(cache, remembered.replace(sum!, "0".repeat(64)));
  assert.equal(await create(), 1);
  assert.equal(await create("--strict"), 0);
  assert.equal(await create(), 0, "what was seen is remembered");
});

Deno.test("wrong requests exit with 2", async () => {
  await using it = await clone();
  for (const name of ["verify", "checksums"]) {
    const { code, err } = await it.task(name, "--no-such-option");
    assert.equal(code, 2, err);
    const help = await it.task(name, "--help", "--lang", "zh");
    assert.equal(help.code, 0);
    assert.match(help.out, new RegExp(`用法：.*deno task ${name}`));
  }
});
