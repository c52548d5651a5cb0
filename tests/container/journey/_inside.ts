/** What is in an image, and what it may do. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { decodePng, psnr } from "../../../src/mod.ts";
import { MINIMUM_PSNR_DB } from "../../../src/studio/health_check.ts";
import { type Clone, succeed } from "./_clones.ts";
import { everything, newSince } from "./_contents.ts";
import { output } from "./_engine.ts";
import { IMAGE } from "./_names.ts";

const PROMPT = "models/demo/health_check.xml";
const RECORD = "models/demo/health_check.png";
/** An image has more files of packages than that, or something is amiss. */
const LEAST_FILES = 1000;
/** What packages carry for machines that the image is not for. */
const OTHER_MACHINES =
  /^\.\/\.deno\/onnxruntime-node@[^/]+\/.*\/bin\/napi-v6\/(darwin|win32|linux\/arm64)\//;
/** Programs that a package brings along, with packages of their own, and that nothing here runs. */
const NEVER_RUN = /\/node_modules\/protobufjs\/cli\//;

/** Deno's own node_modules is the measure, for what the image has of it. */
export async function samePackages({ folder }: Clone): Promise<void> {
  // Deno marks what it has laid.
  const list =
    `cd "$0/node_modules" && find . -type f ! -name .initialized ! -name .scripts-warned -exec sha256sum {} + ; ` +
    `find . -type l ! -path "./.bin/*" -printf "%l  %p\\n"`;
  const read = (text: string) =>
    new Map(text.trim().split("\n").map((line) => line.split("  ").reverse() as [string, string]));
  const inside = read(
    await output(
      "docker",
      "run",
      "--rm",
      "--network",
      "none",
      "--entrypoint",
      "sh",
      IMAGE,
      "-c",
      list,
      "/app",
    ),
  );
  const here = read(await output("sh", "-c", list, folder));
  assert(inside.size > LEAST_FILES, `${inside.size} files`);
  for (const [path, content] of inside) assert.equal(content, here.get(path), path);
  // What is absent belongs to other packages, or to other machines.
  const packageOf = (path: string) => path.split("/").slice(0, 3).join("/");
  const packages = new Set([...inside.keys()].map(packageOf));
  const absent = [...here.keys()].filter((path) =>
    !inside.has(path) && packages.has(packageOf(path)) && !NEVER_RUN.test(path)
  );
  assert.deepEqual(
    absent.filter((path) => !OTHER_MACHINES.test(path) && path.startsWith("./.deno/")),
    [],
  );
}

/** Asks from within, without the task that asks the engine for all this. */
export async function restrictions(): Promise<void> {
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
export async function narrow({ folder }: Clone): Promise<void> {
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

/** Deno complains on a terminal alone when it cannot write its caches. */
export async function terminal(): Promise<void> {
  const prompt = "1girl, solo";
  const run = ["run", "--rm", "--network", "none", "--read-only", "--env", "NO_COLOR=1"];
  const piped = await output("docker", ...run, IMAGE, "parse", prompt);
  const shown = await output("docker", ...run, "--tty", IMAGE, "parse", prompt);
  assert(shown.replaceAll("\r\n", "\n").startsWith(piped), shown);
}

/** With the checks an instant apart instead of half an hour. */
export async function healthCheck(): Promise<void> {
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

/** Kills the task, which then can tidy up nothing: the container ends by itself, and is removed. */
export async function killed({ folder }: Clone): Promise<void> {
  const before = await everything();
  const config = JSON.parse(await Deno.readTextFile(join(folder, "deno.json")));
  const [, ...args] = (config.tasks.container.command as string).split(" ");
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args, "--", "create", "--prompt", "1girl", "--steps", "900"],
    cwd: folder,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const isRunning = async () =>
    (await output("docker", "ps", "--quiet", "--filter", "label=newbie.task")) !== "";
  while (!await isRunning()) await new Promise((resolve) => setTimeout(resolve, 100));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  child.kill("SIGKILL");
  await child.status;
  await new Promise((resolve) => setTimeout(resolve, 5000));
  assert.deepEqual(await newSince(before), []);
}

/** The studio in a container: this computer reaches it by its port, and it reaches nothing. */
export async function served({ folder }: Clone): Promise<void> {
  const before = await everything();
  const port = 7869;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "container", "--", "serve", "--port", String(port)],
    cwd: folder,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (let said = ""; !said.includes(`http://127.0.0.1:${port}/`);) {
    const { value, done } = await reader.read();
    assert(!done, said);
    said += value;
  }
  const at = `http://127.0.0.1:${port}`;
  const draw = async (seed: number) => {
    const body = JSON.stringify({ prompt: "1girl", steps: 1, seed, width: 64, height: 64 });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${at}/sdapi/v1/txt2img`, { method: "POST", headers, body });
    assert.equal(answer.status, 200);
    const { images: [image] } = await answer.json() as { images: [string] };
    assert.equal(decodePng(Uint8Array.fromBase64(image)).image.width, 64);
  };
  assert.match(await (await fetch(`${at}/`)).text(), /<html/);
  await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(draw));

  const id = (await output("docker", "ps", "--quiet", "--latest")).trim();
  const [{ HostConfig, NetworkSettings }] = JSON.parse(await output("docker", "inspect", id));
  assert.equal(HostConfig.NetworkMode, "none");
  assert.deepEqual(NetworkSettings.Ports, {});
  const interfaces = await output("docker", "exec", id, "ls", "/sys/class/net");
  assert.equal(interfaces.trim(), "lo");

  const second = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "container", "--", "serve", "--port", String(port)],
    cwd: folder,
    stdin: "null",
  }).output();
  assert.equal(second.code, 1);
  assert.match(new TextDecoder().decode(second.stderr), /Port 7869 is in use/);

  child.kill("SIGTERM");
  assert.equal((await child.status).code, 0);
  await reader.cancel();
  assert.deepEqual(await newSince(before), []);
}

/** The health check, and a picture as a person asks for it: the pinned one, by a script. */
export async function pictures(clone: Clone): Promise<void> {
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
