/** Slurm's own daemons, on this machine alone, with everything of theirs in one folder. */
import { join } from "node:path";
import { install, output, Skipped } from "../container/journey/_engine.ts";

/** A cluster of one node. */
export interface Slurm extends AsyncDisposable {
  /** For what Slurm's tasks write. */
  readonly folder: string;
  /** Runs one of Slurm's programs. @returns What it printed. */
  readonly run: (command: string, ...args: string[]) => Promise<string>;
}

/** Two tasks of deploy/slurm.sh at once, however many cores there are. */
const CPUS = 8;
const CONTROLLER_PORT = 16817;
const NODE_PORT = 16818;
const START_SECONDS = 30;
const LOG_LINES = 5;
const PACKAGES = ["slurmctld", "slurmd", "slurm-client", "munge"];

/**
 * Starts the daemons; they are stopped in the end.
 *
 * @throws {Skipped} Where they cannot run.
 */
export async function startSlurm(): Promise<Slurm> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) throw new Skipped("they take root on Linux");
  await install("slurmctld", PACKAGES);
  const folder = await Deno.makeTempDir({ prefix: "newbie-slurm-" });
  const daemons: Deno.ChildProcess[] = [];
  const stop = async () => {
    for (const daemon of daemons.toReversed()) {
      try {
        daemon.kill("SIGTERM");
      } catch {
        // It has ended.
      }
      await daemon.status;
    }
    await Deno.remove(folder, { recursive: true });
  };
  try {
    const configuration = await configure(folder);
    const env = { SLURM_CONF: configuration };
    const start = (command: string, ...args: string[]) => {
      const shell = `exec "$0" "$@" > "$LOG" 2>&1`;
      const log = join(folder, `${command}.log`);
      daemons.push(
        new Deno.Command("sh", {
          args: ["-c", shell, command, ...args],
          env: { ...env, LOG: log, PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
          stdin: "null",
        }).spawn(),
      );
    };
    const at = (name: string) => join(folder, "munge", name);
    const files = ["key", "pid", "log", "seed"].map((name) => `--${name}-file=${at(name)}`);
    start("munged", "--foreground", `--socket=${at("socket")}`, ...files);
    await until(() => Deno.stat(at("socket")).then(() => true, () => false), "munged", folder);
    start("slurmctld", "-D");
    start("slurmd", "-D");
    // Tasks have the environment of whoever submits them.
    const bin = join(folder, "bin");
    await Deno.mkdir(bin);
    await Deno.symlink(Deno.execPath(), join(bin, "deno"));
    const variables = [`SLURM_CONF=${configuration}`, `PATH=${bin}:/usr/bin:/bin`, "LC_ALL=C"];
    const run = async (command: string, ...args: string[]) =>
      (await output("env", ...variables, command, ...args)).trim();
    const isIdle = () =>
      run("sinfo", "--noheader", "--format=%T").then((it) => it === "idle", () => false);
    await until(isIdle, "slurmctld", folder);
    return { folder, run, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @returns Where slurm.conf is. */
async function configure(folder: string): Promise<string> {
  for (const name of ["munge", "state", "spool"]) {
    await Deno.mkdir(join(folder, name), { mode: 0o755 });
  }
  // Its daemon asks that nobody but its user reaches the key, and everybody the socket.
  await Deno.chmod(folder, 0o755);
  const key = crypto.getRandomValues(new Uint8Array(1024));
  await Deno.writeFile(join(folder, "munge", "key"), key, { mode: 0o600 });
  const host = (await output("hostname", "--short")).trim();
  const path = join(folder, "slurm.conf");
  const lines = [
    "ClusterName=newbie",
    `SlurmctldHost=${host}(127.0.0.1)`,
    `SlurmctldPort=${CONTROLLER_PORT}`,
    `SlurmdPort=${NODE_PORT}`,
    "SlurmUser=root",
    `AuthInfo=socket=${join(folder, "munge", "socket")}`,
    `StateSaveLocation=${join(folder, "state")}`,
    `SlurmdSpoolDir=${join(folder, "spool")}`,
    `SlurmctldPidFile=${join(folder, "slurmctld.pid")}`,
    `SlurmdPidFile=${join(folder, "slurmd.pid")}`,
    // Without control groups, which containers may not make.
    "ProctrackType=proctrack/linuxproc",
    "TaskPlugin=task/none",
    "SelectType=select/cons_tres",
    "SelectTypeParameters=CR_CPU",
    "SlurmdParameters=config_overrides",
    "MpiDefault=none",
    "KillWait=5",
    `NodeName=${host} NodeAddr=127.0.0.1 CPUs=${CPUS}`,
    "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP",
  ];
  await Deno.writeTextFile(path, `${lines.join("\n")}\n`);
  return path;
}

async function until(
  isReady: () => Promise<boolean>,
  daemon: string,
  folder: string,
): Promise<void> {
  for (let attempt = 0; attempt < 2 * START_SECONDS; attempt++) {
    if (await isReady()) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const log = await Deno.readTextFile(join(folder, `${daemon}.log`)).catch(() => "");
  throw new Skipped(
    `${daemon} does not start here:\n${log.trim().split("\n").slice(-LOG_LINES).join("\n")}`,
  );
}
