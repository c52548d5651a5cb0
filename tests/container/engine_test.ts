/** What an engine says and what it does not, told to people; and what a failed build leaves. */
import assert from "node:assert/strict";
import { join } from "node:path";

const ROOT = new URL("../..", import.meta.url);

/** What a build came to, and what it asked the engine to change. */
async function build(scenario: string, ...options: string[]) {
  await using engine = await fakeEngine(scenario);
  const { out } = await deno("tests/container/_build_client.ts", engine.socket, ...options);
  const changes = (await Deno.readTextFile(engine.log)).trim().split("\n");
  return { ...JSON.parse(out), changes };
}

/** A task with the engine at a socket, as a user starts it who may use any. */
async function task(name: string, args: readonly string[], env: Record<string, string>) {
  return await deno(...[`tasks/checkout/${name}.ts`, ...args] as [string, ...string[]], env);
}

const run = ["run", "--quiet", "--frozen", "--allow-all"];

async function deno(script: string, ...rest: (string | Record<string, string>)[]) {
  return await command(Deno.execPath(), ...run, script, ...rest);
}

/** Where an environment is given, it is the last. */
async function command(name: string, ...rest: (string | Record<string, string>)[]) {
  const env = rest.find((item) => typeof item === "object") ?? {};
  const { code, stdout, stderr } = await new Deno.Command(name, {
    args: rest.filter((item) => typeof item === "string"),
    cwd: ROOT,
    env: { LC_ALL: "C", NO_COLOR: "1", ...env },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out: out!, err: err! };
}

async function fakeEngine(scenario: string) {
  const folder = await Deno.makeTempDir();
  const [socket, log] = [join(folder, "engine.sock"), join(folder, "log")];
  await Deno.writeTextFile(log, "");
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-all",
      "tests/container/_fake_engine.ts",
      socket,
      log,
      scenario,
    ],
    cwd: ROOT,
    stdin: "null",
  }).spawn();
  while (!await Deno.stat(socket).then(() => true, () => false)) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    socket,
    log,
    kill: async () => {
      child.kill("SIGKILL");
      await child.status;
    },
    [Symbol.asyncDispose]: async () => {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test("a build without a network tells its steps, and keeps its image and its base", async () => {
  const { id, events, changes } = await build("good");
  assert.equal(id, `sha256:${"f".repeat(64)}`);
  assert.deepEqual(events.map(({ text }: { text: string }) => text).filter(Boolean), [
    "FROM base",
    "COPY a b",
    "RUN false",
    "no network",
  ]);
  assert.deepEqual(changes, [
    "POST /build",
    `DELETE /images/${"c".repeat(12)}`,
  ]);
});

Deno.test("a failing step is told with its own output, and its build's images are removed", async () => {
  const { error, changes } = await build("failing-step");
  assert.equal(error.name, "BuildError");
  assert.equal(error.step, "RUN false");
  assert.equal(error.output, "cannot find the thing\n");
  assert.match(error.message, /returned a non-zero code: 3\nRUN false\ncannot find the thing$/);
  assert.match(error.zh, /^镜像未构建：/);
  assert(changes.includes(`DELETE /images/${"c".repeat(12)}`));
  assert(!changes.includes(`DELETE /images/${"b".repeat(12)}`), "the base image stays");
});

Deno.test("a cancelled build is cut off where it runs, and its images are removed", async () => {
  const { error, changes } = await build("endless", "--cancel");
  assert.equal(error.name, "AbortError");
  assert(changes.includes(`DELETE /images/${"c".repeat(12)}`));
});

Deno.test("an engine that dies while it builds is told, and not taken for an image", async () => {
  const { error } = await build("broken-off");
  assert.equal(error.name, "EngineError");
  assert.equal(error.code, "lost");
  assert.match(error.message, /ended the connection/);
});

Deno.test("an engine that ends a build without an image has built none", async () => {
  const { error } = await build("no-image");
  assert.match(error.message, /without an image/);
});

Deno.test("what an engine refuses is told in its own words", async () => {
  const { error } = await build("refused");
  assert.equal(error.code, "refused");
  assert.equal(error.message, "The container engine refused: no space left on device");
});

Deno.test("a base image for another architecture is refused before anything is fetched", async () => {
  await using engine = await fakeEngine("other-architecture");
  const env = { DOCKER_HOST: `unix://${engine.socket}` };
  const { code, err } = await task("build", ["--base", "base:latest"], env);
  assert.equal(code, 1);
  assert.match(err, /base:latest is for linux\/arm64, and the image is to be for linux\/amd64/);
  assert.equal(await Deno.readTextFile(engine.log), "");
});

for (const name of ["build", "container"]) {
  const args = name === "build" ? [] : ["--", "test"];

  Deno.test(`deno task ${name}: no engine and a stopped engine are one line each`, async () => {
    const folder = await Deno.makeTempDir();
    const absent = await task(name, args, { DOCKER_HOST: `unix://${folder}/engine.sock` });
    assert.equal(absent.code, 1);
    assert.match(absent.err, /^error: There is no container engine at .*engine\.sock\..*\n$/);
    await Deno.remove(folder);

    const engine = await fakeEngine("good");
    await engine.kill();
    const env = { DOCKER_HOST: `unix://${engine.socket}` };
    const stopped = await task(name, args, env);
    assert.equal(stopped.code, 1);
    assert.match(stopped.err, /^error: The container engine at .* is not running\..*\n$/);
    const json = await task(name, ["--json", "--lang", "zh", ...args], env);
    assert.equal(JSON.parse(json.out).error.name, "EngineError");
    assert.match(json.err, /^错误：位于 .* 的容器引擎没有运行。.*\n$/);
    await engine[Symbol.asyncDispose]();
  });

  Deno.test(`deno task ${name}: an engine that cannot be reached from here is a wrong request`, async () => {
    const { code, err } = await task(name, args, { DOCKER_HOST: "ssh://lab" });
    assert.equal(code, 2);
    assert.match(err, /DOCKER_HOST is ssh:\/\/lab; expected unix:/);
  });

  Deno.test(`deno task ${name}: --help exits with 0, a wrong option with 2`, async () => {
    const help = await task(name, ["--help"], {});
    assert.equal(help.code, 0, help.err);
    assert.match(help.out, new RegExp(`Usage: deno task ${name}`));
    const wrong = await task(name, ["--no-such-option"], {});
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /--no-such-option/);
  });
}

Deno.test("a socket that this user may not use is told as such", async () => {
  await using engine = await fakeEngine("good");
  await Deno.chmod(engine.socket, 0);
  // Root may do what the mode forbids, unless that is taken from it.
  const isRoot = (await Deno.stat(engine.log)).uid === 0;
  const script = ["tests/container/_build_client.ts", engine.socket];
  const { out } = isRoot
    ? await command(
      "setpriv",
      "--bounding-set=-all",
      "--inh-caps=-all",
      Deno.execPath(),
      ...run,
      ...script,
    )
    : await deno(...script as [string, string]);
  const { error } = JSON.parse(out);
  assert.equal(error.code, "permission");
  assert.match(
    error.message,
    /^This user may not use the container engine at .*usermod -aG docker/,
  );
});

Deno.test("deno task build: an image for another platform, and a name that is none, are refused", async () => {
  const platform = await task("build", ["--platform", "linux/arm64"], {});
  assert.equal(platform.code, 2);
  assert.match(platform.err, /no image for linux\/arm64.*pinned for linux\/amd64/);
  for (const name of ["Newbie:x", "newbie", "newbie:"]) {
    const { code, err } = await task("build", ["--tag", name], {});
    assert.equal(code, 2, name);
    assert.match(err, /is not an image's name/);
  }
});

Deno.test("deno task container: without an image it says how to get one", async () => {
  await using engine = await fakeEngine("good");
  const env = { DOCKER_HOST: `unix://${engine.socket}` };
  const { code, err } = await task("container", ["--image", "other:x", "--", "test"], env);
  assert.equal(code, 1);
  assert.match(err, /no image other:x in this engine\. Build it \(deno task build\)/);
});
