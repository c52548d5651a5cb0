/** The kernel says which processors each thread of a process may run on. */
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { temporaryFolder } from "../_folders.ts";

const hasTaskset = await new Deno.Command("taskset", { args: ["--version"] }).output()
  .then(() => true, () => false);

const module = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);

/** Loads a graph with more threads than there are processors, and looks at all threads meanwhile. */
const SCRIPT = `
import { add, Graph, INTERFACE_TYPE } from ${module("onnx/mod.ts")};
import { Session } from ${module("runtime/session.ts")};
import { tensor } from ${module("tensor.ts")};
const graph = new Graph("sum");
const x = graph.input("x", INTERFACE_TYPE, [1]);
graph.output("y", add(x, x), [1]);
const options = { device: "cpu", ...JSON.parse(Deno.args[0]) };
await using session = await Session.create(graph.compile(), options);
await session.run({ x: tensor(Float32Array.of(1), [1]) });
const threads = Array.from(Deno.readDirSync("/proc/self/task"), ({ name }) =>
  /^Cpus_allowed_list:\\s*(\\S+)/m.exec(Deno.readTextFileSync(\`/proc/self/task/\${name}/status\`))[1]
);
console.log(JSON.stringify(threads));
`;

async function threadsOf(options: object): Promise<{ allowed: string[]; errors: string }> {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(`${folder.path}/main.ts`, SCRIPT);
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const { stdout, stderr } = await new Deno.Command("taskset", {
    args: [
      ...["-c", "0", Deno.execPath(), "run", "--no-check", "--quiet", "-A", "--config", config],
      ...[`${folder.path}/main.ts`, JSON.stringify(options)],
    ],
  }).output();
  const errors = new TextDecoder().decode(stderr);
  assert.notEqual(stdout.length, 0, errors);
  return { allowed: JSON.parse(new TextDecoder().decode(stdout)), errors };
}

Deno.test({
  name: "no thread leaves the processors that the process was given, and none complains",
  ignore: !hasTaskset || availableParallelism() < 2,
  fn: async () => {
    const own = await threadsOf({});
    const asked = await threadsOf({ threads: 4 });
    assert.deepEqual(new Set([...own.allowed, ...asked.allowed]), new Set(["0"]));
    assert.equal(own.errors + asked.errors, "");
    assert.equal(asked.allowed.length - own.allowed.length, 3, "as many as were asked for");
  },
});
