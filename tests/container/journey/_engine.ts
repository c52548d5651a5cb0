/** An engine and a base image for the journey, on a machine that may have neither. */
import { join } from "node:path";

/** Why there is no journey here. */
export class Skipped extends Error {
  override name = "Skipped";
}

/** A base image with glibc and libstdc++, made of Debian's packages: no registry is needed. */
export const BASE = "newbie-base:journey";
const SUITE = "bookworm";
const MIRROR = "http://deb.debian.org/debian";
const SOCKET = "/var/run/docker.sock";
const START_SECONDS = 60;
const LOG_LINES = 5;

/** What a command printed on stdout. @throws {Error} With all that it printed, when it failed. */
export async function output(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!success) throw new Error(`${command} ${args.join(" ")}\n${out}${err}`);
  return out!;
}

/**
 * Uses the engine that runs, or starts one and stops it in the end.
 *
 * @throws {Skipped} Where none can run.
 */
export async function startEngine(): Promise<AsyncDisposable> {
  const problem = await problemOfEngine();
  if (problem === undefined) return { [Symbol.asyncDispose]: () => Promise.resolve() };
  if (Deno.env.get("DOCKER_HOST") || Deno.build.os !== "linux" || Deno.uid() !== 0) {
    throw new Skipped(`no engine answers (${problem}), and starting one takes root on Linux`);
  }
  await install("dockerd", ["docker.io"]);
  const folder = await Deno.makeTempDir({ prefix: "newbie-engine-" });
  const log = join(folder, "log");
  // No container of the journey has a network, so that the engine needs none to offer.
  const shell =
    'exec dockerd --bridge=none --iptables=false --data-root "$0/data" --exec-root "$0/exec" ' +
    '--pidfile "$0/pid" --host "unix://$1" > "$0/log" 2>&1';
  const engine = new Deno.Command("sh", {
    args: ["-c", shell, folder, SOCKET],
    stdin: "null",
  }).spawn();
  let ended = false;
  engine.status.then(() => ended = true);
  const stop = async () => {
    if (!ended) engine.kill("SIGTERM");
    await engine.status;
    await Deno.remove(folder, { recursive: true });
  };
  for (let second = 0; second < START_SECONDS && !ended; second++) {
    if (await problemOfEngine() === undefined) {
      console.log(`Started dockerd; it is stopped in the end (process ${engine.pid}).`);
      return { [Symbol.asyncDispose]: stop };
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  const lines = (await Deno.readTextFile(log).catch(() => "")).trim().split("\n");
  await stop();
  throw new Skipped(`dockerd does not start here:\n${lines.slice(-LOG_LINES).join("\n")}`);
}

/**
 * Puts the base image into the engine: from an archive in `cache`, which is made where it is absent.
 *
 * @throws {Skipped} Where it cannot be made.
 */
export async function provideBase(cache: string): Promise<void> {
  const archive = join(cache, `base-${SUITE}.tar`);
  if (!await exists(archive)) await makeBase(archive, cache);
  await output("docker", "import", archive, BASE);
}

async function makeBase(archive: string, cache: string): Promise<void> {
  await install("debootstrap", ["debootstrap"]);
  const folder = await Deno.makeTempDir({ prefix: "newbie-base-" });
  try {
    await output("debootstrap", "--variant=minbase", SUITE, folder, MIRROR);
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw new Skipped(`no base image can be made: ${(error as Error).message}`);
  }
  await Deno.mkdir(cache, { recursive: true });
  const excluded = ["./var/cache/apt/archives/*.deb", "./var/lib/apt/lists/*", "./var/log/*"];
  const part = `${archive}.part`;
  await output(
    "tar",
    "--sort=name",
    "--numeric-owner",
    ...excluded.map((pattern) => `--exclude=${pattern}`),
    `--directory=${folder}`,
    "--create",
    `--file=${part}`,
    ".",
  );
  await Deno.rename(part, archive);
  await Deno.remove(folder, { recursive: true });
}

/** Installs Debian's packages where a command is absent. */
export async function install(command: string, packages: readonly string[]): Promise<void> {
  const isThere = (name: string) =>
    output("sh", "-c", `command -v ${name}`).then(() => true, () => false);
  if (await isThere(command)) return;
  if (!await isThere("apt-get")) {
    throw new Skipped(`there is no ${command}, and no apt-get to get it`);
  }
  console.log(`Installing ${packages.join(", ")}.`);
  try {
    await output("apt-get", "update", "--quiet");
    await output(
      "env",
      "DEBIAN_FRONTEND=noninteractive",
      "apt-get",
      "install",
      "--yes",
      "--quiet",
      "--no-install-recommends",
      ...packages,
    );
  } catch (error) {
    throw new Skipped(`${packages.join(", ")} cannot be installed: ${(error as Error).message}`);
  }
}

/** Why no engine answers; undefined when one does. */
async function problemOfEngine(): Promise<string | undefined> {
  try {
    await output("docker", "version");
    return undefined;
  } catch (error) {
    return (error as Error).message.trim().split("\n").at(-1);
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
