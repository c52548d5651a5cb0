/** The table of docs/pins.md is tried: what a hostile script gets with the permissions of each task. */
import assert from "node:assert/strict";
import configuration from "../../deno.json" with { type: "json" };
import { NVIDIA_SMI } from "../../src/machine/gpus.ts";
import { temporaryFolder } from "../_folders.ts";
import { ROOT } from "./_task_command.ts";

type TaskName = keyof typeof configuration.tasks;

/** What the tables say, by task; the columns have the same meaning in both languages. */
async function tableOf(file: string, all: string, none: string) {
  const text = await Deno.readTextFile(new URL(file, ROOT));
  const rows = text.split("\n").map((line) => line.split("|").slice(1, -1).map((it) => it.trim()))
    .filter((cells) => cells.length === 7);
  return new Map(
    rows.slice(2).flatMap(([tasks = "", reads, writes, runs, network, env, native]) =>
      [...tasks.matchAll(/`([^`]+)`/g)].map(([, task]) => [task as TaskName, {
        read: reads === all,
        write: writes === all,
        run: runs === all ? "any" : runs === none ? "" : runs!.replaceAll("`", ""),
        network: network !== none,
        env: env === all,
        native: native === all ? "any" : native === none ? "" : "packages",
      }])
    ),
  );
}

const TABLE = await tableOf("docs/pins.md", "all", "none");

/** Tries everything that the table speaks of; errors of permission are what it looks for. */
const HOSTILE = `
const may = async (attempt) => {
  try {
    await attempt();
    return true;
  } catch ({ name, message }) {
    // An import says it in its message alone.
    return name !== "NotCapable" && !/^Requires \\w+ access/.test(message);
  }
};
const [outside, library, evil] = Deno.args;
const run = (command, env = {}) =>
  may(() => new Deno.Command(command, { args: ["--version"], env, stdin: "null" }).output());
const dlopen = (path) => may(() => Deno.dlopen(path, { getpid: { parameters: [], result: "i32" } }));
console.log(JSON.stringify({
  read: await may(() => Deno.readTextFile(outside)),
  write: await may(() => Deno.writeTextFile(outside + ".new", "")),
  programs: {
    any: await run(evil),
    ls: await run("ls") || await run("cat") || await run("sh"),
    git: await run("git"),
    ownPath: await run("nvidia-smi", { PATH: evil.slice(0, evil.lastIndexOf("/")) }),
  },
  network: await may(() => Deno.connect({ hostname: "127.0.0.1", port: 9 })),
  env: await may(() => Deno.env.toObject()),
  // Put together, because what a module names literally is loaded with it, without asking.
  environ: await may(() => import("file:///proc/self/" + evil.slice(0, 0) + "environ", {
    with: { type: "text" },
  })),
  native: { any: await dlopen(outside), packages: await dlopen(library) },
}));
`;

const library = new URL("node_modules/onnxruntime-node/package.json", ROOT).pathname;

for (const [name, { command }] of Object.entries(configuration.tasks)) {
  const [deno, first, ...rest] = command.split(/\s+/);
  if (deno !== "deno" || first !== "run") continue;
  Deno.test({
    name: `a hostile script in the place of ${name} gets what the table says, and no more`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      const said = TABLE.get(name as TaskName);
      assert(said !== undefined, `docs/pins.md does not list ${name}`);
      await using folder = await temporaryFolder();
      const place = (file: string) => `${folder.path}/${file}`;
      await Deno.writeTextFile(place("outside"), "");
      await Deno.writeTextFile(place("hostile.ts"), HOSTILE);
      await Deno.writeTextFile(place("nvidia-smi"), "#!/bin/sh\n", { mode: 0o755 });
      const flags = rest.slice(0, rest.findIndex((word) => word.endsWith(".ts")));
      const { stdout, stderr } = await new Deno.Command(deno === "deno" ? Deno.execPath() : deno, {
        args: [
          ...["run", ...flags, "--no-check", "--no-prompt", "--config", "deno.json"],
          ...[place("hostile.ts"), place("outside"), library, place("nvidia-smi")],
        ],
        cwd: ROOT,
        stdin: "null",
      }).output();
      assert.notEqual(stdout.length, 0, new TextDecoder().decode(stderr));
      const got = JSON.parse(new TextDecoder().decode(stdout));
      const any = said.run === "any";
      // By names of hosts or sockets: this computer itself is none of them.
      const network = false;
      assert.deepEqual(got, {
        read: said.read,
        write: said.write,
        programs: { any, ls: any, git: any || said.run === "git", ownPath: any },
        network,
        env: said.env,
        // Deno lets whoever may read all files read the kernel's.
        environ: said.read,
        native: { any: said.native === "any", packages: said.native !== "" },
      });
      assert.equal(command.includes("--allow-net"), said.network);
      assert.equal(command.includes("nvidia-smi"), said.run === "nvidia-smi");
    },
  });
}

Deno.test("the tables of both languages say the same, and speak of tasks that there are", async () => {
  const chinese = await tableOf("docs/pins.zh-CN.md", "全部", "无");
  assert.deepEqual(chinese, TABLE);
  for (const task of TABLE.keys()) assert(task in configuration.tasks, task);
});

Deno.test("nvidia-smi may be run from where drivers put it, by each task that asks it", () => {
  for (const [name, { command }] of Object.entries(configuration.tasks)) {
    const allowed = /--allow-run=(\S+)/.exec(command)?.[1]?.split(",") ?? [];
    if (!allowed.some((program) => program.includes("nvidia-smi"))) continue;
    const own = name === "doctor" ? ["nvidia-smi"] : [];
    assert.deepEqual(allowed, [...own, ...NVIDIA_SMI], name);
  }
});
