/** `deno task container`: another task, inside the image. */
import { chmod, mkdir, stat } from "node:fs/promises";
import { resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Option } from "commander";
import {
  type Engine,
  extraMounts,
  LATEST,
  modelMounts,
  outputsMount,
  runImage,
} from "../../src/container/mod.ts";
import { RequestError } from "../../src/errors.ts";
import { connectEngine } from "./engine.ts";
import { onSignals } from "../cli/signals.ts";
import { catalogue, language, run, task, TaskFailure } from "../cli/task.ts";

interface Options {
  readonly json?: true;
  readonly image: string;
  readonly gpu: "auto" | "all" | "none";
  readonly mount: readonly string[];
  readonly user?: string;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** The image's own user. */
const IMAGE_USER = "10001:10001";
/** Those that serve may use; the first is its own choice. */
const PORTS = Array.from({ length: 10 }, (_, index) => 7860 + index);
/** Everyone may write there, and nobody remove another's picture. */
const SHARED_MODE = 0o1777;
const OTHERS_MAY_WRITE = 0o002;
/** Devices that show that there is an NVIDIA GPU: on Linux, and on Windows' Linux. */
const GPU_DEVICES = ["/dev/nvidiactl", "/dev/dxg"];
/** The environment variables that tasks read, to be passed on into the container. */
const PASSED_ON = [
  "TERM",
  "COLORTERM",
  "TERM_PROGRAM",
  "LC_TERMINAL",
  "KITTY_WINDOW_ID",
  "TMUX",
  "STY",
  "NO_COLOR",
  "FORCE_COLOR",
  "CLICOLOR_FORCE",
  "LC_ALL",
  "LC_MESSAGES",
  "LANG",
];

const { text, both } = catalogue({
  en: {
    description:
      "Runs a task inside the container image: no network, nothing writable but outputs/, the models " +
      "of models/ read-only, and the GPU when there is one. The port of serve leads into it from this " +
      "computer. Its exit code is the task's.",
    argument: "the task and its options: test, create, parse, verify, doctor, …",
    image: "the image",
    gpu: "pass the GPUs through: when there are any, always, or never",
    mount: "a file or folder for the task to read, besides models/ and outputs/",
    user: "uid:gid that the task runs as (default: yours)",
    examples: "Examples:\n" +
      "  deno task build --variant cpu\n" +
      "  deno task container -- test\n" +
      "  deno task container -- create\n" +
      "  deno task container -- serve\n" +
      "  deno task container --mount prompts -- create --prompt-file prompts/one.xml",
    noImage: (image: string) =>
      `There is no image ${image} in this engine. Build it (deno task build), or load it from a ` +
      "bundle (deno task load).",
    badUser: (user: string) => `--user ${user}: expected numbers, uid:gid.`,
    noSuchMount: (path: string) => `--mount ${path}: there is no such file or folder.`,
    noLan:
      "serve:lan is for other computers, which do not reach a container without a network. For " +
      "this computer: deno task container -- serve",
    notWritable: (user: string) =>
      `The container's user ${user} may not write to outputs/. Allow it (chmod 1777 outputs), or run ` +
      "as another: --user UID:GID",
  },
  zh: {
    description:
      "在容器镜像中运行一个任务：没有网络，只有 outputs/ 可写，models/ 中的模型只读，有 GPU 时传入 GPU。" +
      "serve 的端口可从本机连到容器。" +
      "退出码即该任务的退出码。",
    argument: "任务及其选项：test、create、parse、verify、doctor……",
    image: "镜像",
    gpu: "传入 GPU：有则传入、总是、从不",
    mount: "除 models/ 和 outputs/ 之外，任务可读取的文件或文件夹",
    user: "运行任务的 uid:gid（默认是当前用户）",
    examples: "示例：\n" +
      "  deno task build --variant cpu\n" +
      "  deno task container -- test\n" +
      "  deno task container -- create\n" +
      "  deno task container -- serve\n" +
      "  deno task container --mount prompts -- create --prompt-file prompts/one.xml",
    noImage: (image: string) =>
      `引擎中没有镜像 ${image}。请构建（deno task build），或从离线包加载（deno task load）。`,
    badUser: (user: string) => `--user ${user}：应为数字 uid:gid。`,
    noSuchMount: (path: string) => `--mount ${path}：没有这个文件或文件夹。`,
    noLan: "serve:lan 供其他计算机使用，而它们无法连接没有网络的容器。供本机使用：" +
      "deno task container -- serve",
    notWritable: (user: string) =>
      `容器用户 ${user} 无权写入 outputs/。请授权（chmod 1777 outputs），或换一个用户：--user UID:GID`,
  },
});

const command = task("container", text.description)
  .argument("<task...>", text.argument)
  .option("--image <name>", text.image, LATEST)
  .addOption(
    new Option("--gpu <choice>", text.gpu).choices(["auto", "all", "none"]).default("auto"),
  )
  .option("--mount <path>", text.mount, (path: string, paths: string[]) => [...paths, path], [])
  .option("--user <uid:gid>", text.user)
  // What stands after the task is the task's.
  .passThroughOptions()
  .addHelpText("after", `\n${text.examples}`);

await run<Options>(command, async ({ json, image, gpu, mount, user: asked }, inner) => {
  if (asked !== undefined && !/^\d+:\d+$/.test(asked)) {
    throw new RequestError(both((text) => text.badUser(asked)));
  }
  const engine = await connectEngine();
  const facts = await engine.image(image);
  if (facts === undefined) throw new TaskFailure(text.noImage(image), {});

  const user = asked ?? ownUser(engine);
  const outputs = outputsMount(ROOT);
  await prepareOutputs(outputs.source, user);
  const mounts = [outputs, ...await modelMounts(ROOT)];
  for (const path of mount) mounts.push(...await mountOf(path));
  const isInteractive = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  if (isInteractive) Deno.stdin.setRaw(true);
  let code: number;
  try {
    code = await runImage(engine, {
      image: facts,
      command: [...inner, ...(json ? ["--json"] : []), ...languageOption(inner)],
      mounts,
      environment: environment(),
      user,
      port: portOf(inner),
      hasGpus: gpu === "all" || gpu === "auto" && hasGpu(engine),
      ...(isInteractive ? { terminal: { size: Deno.consoleSize, onResize } } : {}),
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      onSignal: (pass) => void onSignals(["SIGINT", "SIGTERM", "SIGHUP"], pass),
    });
  } finally {
    if (isInteractive) Deno.stdin.setRaw(false);
  }
  // The task has printed what there is to say.
  Deno.exit(code);
});

/** The port that a task in the container serves on; undefined for those that serve nothing. */
function portOf([name, ...options]: readonly string[]): number | undefined {
  if (name === "serve:lan") throw new RequestError(both((text) => text.noLan));
  if (name !== "serve" || options.includes("--help")) return undefined;
  const at = options.findLastIndex((option) => /^--port(?:=|$)/.test(option));
  const value = at < 0 ? undefined : options[at]!.split("=")[1] ?? options[at + 1];
  // Whatever is no port, serve itself refuses.
  return PORTS.includes(Number(value ?? PORTS[0])) ? Number(value ?? PORTS[0]) : undefined;
}

function onResize(resized: () => void): void {
  onSignals(["SIGWINCH"], resized);
}

/**
 * The language is passed on in the environment; where an option named it, the option is passed on.
 */
function languageOption(inner: readonly string[]): string[] {
  const isSaid = Deno.args.some((arg) => arg.startsWith("--lang"));
  return isSaid && !inner.some((arg) => arg.startsWith("--lang")) ? ["--lang", language] : [];
}

function environment(): Record<string, string> {
  const values = PASSED_ON.map((name) => [name, Deno.env.get(name)] as const);
  return Object.fromEntries(values.filter((pair): pair is [string, string] => !!pair[1]));
}

/**
 * The pictures belong to the user who runs this. Root does not run in the container: the image's
 * user takes its place. In a rootless engine, root in the container is this very user.
 */
function ownUser(engine: Engine): string {
  if (engine.facts.isRootless) return "0:0";
  const [uid, gid] = [
    Deno.env.get("SUDO_UID") ?? Deno.uid(),
    Deno.env.get("SUDO_GID") ?? Deno.gid(),
  ];
  return uid === null || gid === null || String(uid) === "0" ? IMAGE_USER : `${uid}:${gid}`;
}

async function prepareOutputs(folder: string, user: string): Promise<void> {
  const isNew = await mkdir(folder, { recursive: true }) !== undefined;
  const isOwn = user === `${Deno.uid()}:${Deno.gid()}`;
  if (isNew && !isOwn) await chmod(folder, SHARED_MODE);
  if (isOwn || user.startsWith("0:")) return;
  const { mode, uid } = await stat(folder);
  const mayWrite = (mode & OTHERS_MAY_WRITE) !== 0 || user.startsWith(`${uid}:`);
  if (!mayWrite) throw new TaskFailure(text.notWritable(user), {});
}

async function mountOf(path: string) {
  try {
    return await extraMounts(resolve(path), ROOT);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new RequestError(both((text) => text.noSuchMount(path)));
  }
}

function hasGpu(engine: Engine): boolean {
  if (engine.facts.hasNvidiaRuntime) return true;
  return GPU_DEVICES.some((path) => {
    try {
      return Deno.lstatSync(path) !== undefined;
    } catch {
      return false;
    }
  });
}
