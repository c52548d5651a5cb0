/**
 * The whole way of an image, with a real engine: built from a commit, run where it may touch
 * nothing, bundled, removed, loaded, and built again elsewhere to the same digest. Cancelled and
 * refused builds leave nothing.
 *
 *     deno run -A tests/container/journey.ts [--move-clock]
 *
 * Where no engine can run it says why, and ends well: the tests beside it need none. With
 * `--move-clock` the machine's clock is a day ahead during the second build.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { packTar, type TarHeader } from "modern-tar";
import { MINIMUM_PSNR_DB } from "../../tasks/_health_check.ts";
import { decodePng, psnr } from "../../src/mod.ts";
import { BASE, output, provideBase, Skipped, startEngine } from "./_ci_engine.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = join(
  Deno.env.get("XDG_CACHE_HOME") ?? join(Deno.env.get("HOME") ?? "/tmp", ".cache"),
  "newbie",
);
const DOWNLOADS = "node_modules/.cache/newbie/downloads";
const IMAGE = "newbie:cpu";
const BUILD = ["build", "--variant", "cpu", "--base", BASE] as const;
const LATEST = "newbie:latest";
/** The size of a volume: a bundle has several. */
const VOLUME = "100M";
const DAY_MILLISECONDS = 86_400_000;
const PROMPT = "models/demo/health_check.xml";
const RECORD = "models/demo/health_check.png";

/** A clone of the commit, in a folder of its own. */
interface Clone {
  readonly folder: string;
  /** Runs a task there. */
  readonly task: (...args: string[]) => Promise<TaskResult>;
}

interface TaskResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const start = performance.now();
try {
  await using _engine = await startEngine();
  await using _images = await keepImages();
  await provideBase(CACHE);
  const folder = await Deno.makeTempDir({ prefix: "newbie-journey-" });
  try {
    await journey(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  say("done");
} catch (error) {
  if (!(error instanceof Skipped)) throw error;
  console.log(`SKIPPED: the container's journey, because ${error.message}`);
}

async function journey(folder: string): Promise<void> {
  const first = await clone(join(folder, "first"));
  await step("build", () => build(first));
  await step("packages lie there as Deno lays them", () => samePackages(first));
  await step("verify, on this side and inside", async () => {
    await succeed(first, "verify");
    await succeed(first, "container", "--", "verify");
  });
  await step("a cancelled build leaves nothing", () => cancelled(first));
  await step("two builds at once: the second is refused", () => twoAtOnce(first));
  await step("a base image of another architecture is refused", () => otherArchitecture(first));
  await step("what runs inside may touch nothing", restrictions);
  await step("the engine's own health check", healthCheck);
  await step("a task's container is as narrow as promised", () => narrow(first));
  await step("health check and pictures inside", () => pictures(first));

  const bundle = await step("bundle, in volumes", () => bundleOf(first));
  await step("remove, and load by the script", () => loadByScript(first, bundle));
  await step("remove, and load by the task", () => loadByTask(first, bundle));
  await step("what was loaded may touch nothing", restrictions);
  await step("health check and pictures inside what was loaded", () => pictures(first));

  await removeAll();
  await provideBase(CACHE);
  const second = await clone(join(folder, "elsewhere", "second"));
  await step(
    "a second build, elsewhere and later, has the same digest",
    () => sameAgain(second, bundle),
  );
  await removeAll();
}

async function build({ task }: Clone): Promise<{ readonly image: string }> {
  const { code, out, err } = await task(...BUILD, "--json");
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

/** Deno's own node_modules is the measure, for what the image has of it. */
async function samePackages({ folder }: Clone): Promise<void> {
  // Deno marks what it has laid.
  const list =
    `cd "$0/node_modules" && find . -type f ! -name .initialized ! -name .scripts-warned -exec sha256sum {} + ; ` +
    `find . -type l ! -path "./.bin/*" -printf "%l  %p\\n"`;
  const read = (text: string) =>
    new Map(text.trim().split("\n").map((line) => line.split("  ").reverse() as [string, string]));
  const inside = read(
    await output("docker", "run", "--rm", "--entrypoint", "sh", IMAGE, "-c", list, "/app"),
  );
  const here = read(await output("sh", "-c", list, folder));
  const MOST = 1000;
  assert(inside.size > MOST, `${inside.size} files`);
  for (const [path, content] of inside) assert.equal(content, here.get(path), path);
  // What is absent belongs to other packages, or to other machines.
  const packageOf = (path: string) => path.split("/").slice(0, 3).join("/");
  const packages = new Set([...inside.keys()].map(packageOf));
  const absent = [...here.keys()].filter((path) =>
    !inside.has(path) && packages.has(packageOf(path))
  );
  const OTHER_MACHINES =
    /^\.\/\.deno\/onnxruntime-node@[^/]+\/.*\/bin\/napi-v6\/(darwin|win32|linux\/arm64)\//;
  assert.deepEqual(
    absent.filter((path) => !OTHER_MACHINES.test(path) && path.startsWith("./.deno/")),
    [],
  );
}

async function cancelled({ folder }: Clone): Promise<void> {
  const before = await everything();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", ...BUILD],
    cwd: folder,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let said = "";
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    // The step that patches and verifies: the longest.
    if (!said.includes("RUN deno") && (said + text).includes("RUN deno")) {
      child.kill("SIGINT");
    }
    said += text;
  }
  assert.equal((await child.status).code, 1, said);
  assert.match(said, /Cancelled; nothing is left of it\.\n$/);
  assert.deepEqual(await newSince(before), []);
}

async function twoAtOnce(clone: Clone): Promise<void> {
  const [one, other] = await Promise.all([clone.task(...BUILD), clone.task(...BUILD)]);
  const codes = [one.code, other.code].sort();
  assert.deepEqual(codes, [0, 1], one.err + other.err);
  const refused = one.code === 0 ? other : one;
  assert.match(refused.err, /Another build is running/);
}

async function otherArchitecture({ task }: Clone): Promise<void> {
  const name = "newbie-other:arm64";
  const archive = await Deno.makeTempFile();
  try {
    await Deno.writeFile(archive, await packTar(imageFor("arm64", name)));
    await output("docker", "load", "--input", archive);
    const before = await everything();
    const { code, err } = await task("build", "--variant", "cpu", "--base", name);
    assert.equal(code, 1, err);
    assert.match(
      err,
      /newbie-other:arm64 is for linux\/arm64, and the image is to be for linux\/amd64/,
    );
    assert.deepEqual(await newSince(before), []);
  } finally {
    await output("docker", "rmi", name).catch(() => {});
    await Deno.remove(archive);
  }
}

/** An image with nothing in it, as `docker save` writes it. */
function imageFor(architecture: string, name: string): { header: TarHeader; body: Uint8Array }[] {
  // A tar archive without an entry.
  const layer = new Uint8Array(1024);
  const digest = createHash("sha256").update(layer).digest("hex");
  const config = {
    architecture,
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: [`sha256:${digest}`] },
  };
  const manifest = [{ Config: "config.json", RepoTags: [name], Layers: ["layer.tar"] }];
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  return Object.entries({
    "manifest.json": json(manifest),
    "config.json": json(config),
    "layer.tar": layer,
  }).map(([name, body]) => ({ header: { name, size: body.length }, body }));
}

/** Asks from within, without the task that asks the engine for all this. */
async function restrictions(): Promise<void> {
  const code = `
    const attempt = async (work) => { try { await work(); return "ok"; } catch (e) { return e.code ?? e.name; } };
    const write = (path) => attempt(() => Deno.writeTextFile(path, "x"));
    const found = async (name) => await attempt(() => new Deno.Command(name).output());
    console.log(JSON.stringify({
      uid: Deno.uid(),
      app: await write("/app/x"), deno: await write("/deno/x"), etc: await write("/etc/x"),
      outputs: await write("/app/outputs/x"),
      net: await attempt(() => fetch("http://deb.debian.org/")),
      tools: await Promise.all(["cc", "gcc", "npm", "node", "git", "curl"].map(found)),
      packages: [...Deno.readDirSync("/app/node_modules")].map(({ name }) => name),
    }));`;
  const inside = JSON.parse(
    await output(
      ...["docker", "run", "--rm", "--network", "none", "--read-only", "--entrypoint"] as const,
      ...["deno", IMAGE, "eval", code],
    ),
  );
  assert.notEqual(inside.uid, 0);
  assert.deepEqual([inside.app, inside.deno, inside.etc], ["EROFS", "EROFS", "EROFS"]);
  assert.equal(inside.outputs, "ok");
  assert.notEqual(inside.net, "ok");
  assert.deepEqual([...new Set(inside.tools)], ["ENOENT"]);
  for (const name of ["dockerode", "fast-check", "@lydell", "@xterm"]) {
    assert(!inside.packages.includes(name), name);
  }
}

/** Looks at a container while its task waits for a line, and interrupts it. */
async function narrow({ folder }: Clone): Promise<void> {
  const before = await everything();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "container", "--mount", "README.md", "--", "create"],
    cwd: folder,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!said.includes("Enter your XML prompt")) {
    const { value, done } = await reader.read();
    assert(!done, said);
    said += value;
  }
  const id = (await output("docker", "ps", "--quiet", "--latest")).trim();
  const [{ Config, HostConfig, Mounts }] = JSON.parse(await output("docker", "inspect", id));
  assert.notEqual(Config.User.split(":")[0], "0");
  assert.equal(HostConfig.NetworkMode, "none");
  assert.equal(HostConfig.ReadonlyRootfs, true);
  assert.equal(HostConfig.Privileged, false);
  assert.deepEqual(HostConfig.CapDrop, ["ALL"]);
  assert.deepEqual(HostConfig.SecurityOpt, ["no-new-privileges"]);
  const writable = (Mounts as { Destination: string; RW: boolean }[]).filter(({ RW }) => RW);
  assert.deepEqual(writable.map(({ Destination }) => Destination), ["/app/outputs"]);
  assert(
    Mounts.some(({ Destination }: { Destination: string }) => Destination === "/app/README.md"),
  );
  child.kill("SIGINT");
  assert.notEqual((await child.status).code, 0);
  await reader.cancel();
  await child.stdin.close().catch(() => {});
  assert.deepEqual(await newSince(before), []);
}

/** With the checks an instant apart instead of half an hour. */
async function healthCheck(): Promise<void> {
  const options = ["--network", "none", "--read-only", "--health-interval", "1s"];
  const id = (await output(
    ...["docker", "run", "--detach", ...options, "--entrypoint", "sleep", IMAGE, "300"] as [
      string,
      ...string[],
    ],
  )).trim();
  try {
    let status = "starting";
    while (status === "starting") {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      status = (await output("docker", "inspect", "--format", "{{.State.Health.Status}}", id))
        .trim();
    }
    const log = await output("docker", "inspect", "--format", "{{json .State.Health.Log}}", id);
    assert.equal(status, "healthy", log);
  } finally {
    await output("docker", "rm", "--force", "--volumes", id);
  }
}

/** The health check, and a picture as a person asks for it: the pinned one, by a script. */
async function pictures(clone: Clone): Promise<void> {
  const before = await everything();
  const test = JSON.parse((await succeed(clone, "container", "--", "test", "--json")).out);
  assert(test.identical || test.psnr >= MINIMUM_PSNR_DB, JSON.stringify(test));
  assert.equal(test.output, "outputs/success_output.png");
  const request = ["--prompt-file", PROMPT, "--steps", "30", "--guidance", "7", "--seed", "42"];
  const { out } = await succeed(clone, "container", "--", "create", "--json", ...request);
  const { pictures: [{ path }] } = JSON.parse(out) as { pictures: [{ path: string }] };
  const [made, recorded] = [path, RECORD].map((path) =>
    decodePng(Deno.readFileSync(join(clone.folder, path))).image
  );
  const similarity = psnr(made!, recorded!);
  console.log(`  PSNR to the record: ${similarity.toFixed(1)} dB`);
  assert(similarity >= MINIMUM_PSNR_DB);
  // The exit code is the task's own.
  const wrong = await clone.task("container", "--", "create", "--steps", "none");
  assert.equal(wrong.code, 2, wrong.err);
  assert.deepEqual(await newSince(before), []);
}

/** What `deno task bundle` tells. */
interface Bundle {
  readonly folder: string;
  /** The image's digest. */
  readonly image: string;
  /** For every byte of the bundle. */
  readonly sha256: string;
  readonly volumes: readonly unknown[];
}

async function bundleOf(clone: Clone): Promise<Bundle> {
  const { out } = await succeed(clone, "bundle", "--json", "--split", VOLUME);
  const bundle: Bundle = JSON.parse(out);
  assert(bundle.volumes.length > 1, out);
  console.log(`  image ${bundle.image}`);
  return { ...bundle, folder: resolve(clone.folder, bundle.folder) };
}

async function loadByScript({ folder }: Clone, bundle: Bundle): Promise<void> {
  await removeAll();
  const script = join(bundle.folder, "load.sh");
  await output("sh", script, "--into", join(folder, "outputs", "installed"));
  await output(
    "docker",
    "run",
    "--rm",
    "--network",
    "none",
    "--read-only",
    IMAGE,
    "parse",
    "1girl",
  );
}

async function loadByTask(clone: Clone, bundle: Bundle): Promise<void> {
  await removeAll();
  await succeed(clone, "load", "--sha256", bundle.sha256, bundle.folder);
}

/** Puts images of other builds, which an engine may have, out of the way and back in the end. */
async function keepImages(): Promise<AsyncDisposable> {
  const kept: [name: string, elsewhere: string][] = [];
  for (const name of [IMAGE, LATEST]) {
    const elsewhere = name.replace("newbie:", "newbie-kept:");
    const isThere = await output("docker", "tag", name, elsewhere).then(() => true, () => false);
    if (isThere) kept.push([name, elsewhere]);
  }
  return {
    async [Symbol.asyncDispose]() {
      await removeAll();
      for (const [name, elsewhere] of kept) {
        await output("docker", "tag", elsewhere, name);
        await output("docker", "rmi", elsewhere);
      }
    },
  };
}

/** No name that a build or a load has given is left, and neither is the base image. */
async function removeAll(): Promise<void> {
  for (const name of [IMAGE, LATEST, BASE]) await output("docker", "rmi", name).catch(() => {});
  const left = await output("docker", "images", "--quiet", "newbie");
  assert.equal(left, "");
}

/** Other times on the sources, another clock: nothing of them may be in the image. */
async function sameAgain(clone: Clone, expected: Bundle): Promise<void> {
  await output("find", join(clone.folder, "src"), "-exec", "touch", "-d", "2001-02-03", "{}", "+");
  {
    await using _clock = await movedClock();
    await build(clone);
  }
  const bundle = await bundleOf(clone);
  if (bundle.image !== expected.image) {
    const { out, err } = await clone.task("compare", expected.folder, bundle.folder);
    assert.fail(`The images differ:\n${out}${err}`);
  }
  assert.equal(bundle.sha256, expected.sha256);
}

/** The machine's clock a day ahead, where that was asked for. */
async function movedClock(): Promise<AsyncDisposable> {
  if (!Deno.args.includes("--move-clock")) {
    return { [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const set = (milliseconds: number) => output("date", "--set", `@${milliseconds / 1000}`);
  const [before, begun] = [Date.now(), performance.now()];
  try {
    await set(before + DAY_MILLISECONDS);
  } catch (error) {
    console.log(`  the clock cannot be moved here: ${(error as Error).message.trim()}`);
    return { [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const putBack = async () => {
    Deno.removeSignalListener("SIGINT", putBack);
    Deno.removeSignalListener("SIGTERM", putBack);
    // What has passed meanwhile, by a clock that nobody sets.
    await set(before + (performance.now() - begun));
  };
  Deno.addSignalListener("SIGINT", putBack);
  Deno.addSignalListener("SIGTERM", putBack);
  return { [Symbol.asyncDispose]: putBack };
}

async function succeed(clone: Clone, ...args: string[]): Promise<TaskResult> {
  const result = await clone.task(...args);
  assert.equal(result.code, 0, `${args.join(" ")}\n${result.out}${result.err}`);
  return result;
}

/** With what was fetched before, by hard links: another build may not change it. */
async function clone(folder: string): Promise<Clone> {
  await output("git", "clone", "--quiet", "--no-hardlinks", ROOT, folder);
  await Deno.mkdir(join(folder, DOWNLOADS, ".."), { recursive: true });
  await output("cp", "--archive", "--link", join(ROOT, DOWNLOADS), join(folder, DOWNLOADS)).catch(
    () => {},
  );
  const task = async (...args: string[]) => {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", ...args],
      cwd: folder,
      stdin: "null",
      env: { LC_ALL: "C", NO_COLOR: "1" },
    });
    const { code, stdout, stderr } = await command.output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    return { code, out: out!, err: err! };
  };
  await succeed({ folder, task }, "install");
  return { folder, task };
}

/** The images, containers and volumes that an engine has now and had not then. */
async function newSince(before: ReadonlySet<string>): Promise<string[]> {
  return [...(await everything()).difference(before)];
}

async function everything(): Promise<Set<string>> {
  const lists = [["images", "--all", "--quiet"], ["ps", "--all", "--quiet"], [
    "volume",
    "ls",
    "--quiet",
  ]];
  const found = await Promise.all(lists.map((list) => output("docker", ...list)));
  return new Set(found.flatMap((text) => text.split("\n")));
}

async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  try {
    const result = await work();
    say(`✓ ${name} (${((performance.now() - begun) / 1000).toFixed(0)} s)`);
    return result;
  } catch (error) {
    say(`✗ ${name}`);
    throw error;
  }
}

function say(text: string): void {
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(`[${seconds} s] ${text}`);
}
