import assert from "node:assert/strict";
import { relative } from "node:path";
import { Painted } from "../../tasks/cli/print.ts";
import { filesBelow } from "../_folders.ts";

Deno.test("a painted line keeps the tasks' colours and tabs, and no other control", () => {
  const own = "\x1b[1;31merror:\x1b[0m\ta";
  assert.deepEqual(new Painted([own]).lines, [own]);
  assert.deepEqual(
    new Painted(["\x1b[8mhidden\x1b[2J\x1b]0;title\x07\ra\nb\u202ec"]).lines,
    ["\\u001b[8mhidden\\u001b[2J\\u001b]0;title\\u0007\\ra\\nb\\u202ec"],
  );
});

Deno.test("JSON on a terminal says the same as any JSON, without steering the terminal", async () => {
  const value = { "k\x9b31m": "a\x1b[31m\u202eb\u2028c\u{e0041}👩‍👩‍👧 ミク", n: [1, null] };
  const script = `import { printJson } from "./tasks/cli/print.ts";
    printJson(${JSON.stringify(value)});`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--frozen", "--no-check", "--ext=ts", script],
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.deepEqual(JSON.parse(text), value);
  assert.doesNotMatch(text.trimEnd(), /[\p{Cc}\u202e\u2028\u{e0041}]/u);
});

/** What draws on the terminal itself: pictures, the line that is drawn over, and questions. */
const DRAWS = ["tasks/cli/print.ts", "tasks/cli/progress.ts", "tasks/cli/show.ts"];
const ASKS = "tasks/cli/console.ts";

Deno.test("tasks print through one place, so that no text of a file gets around it", () => {
  for (const path of filesBelow("tasks").map((path) => relative(".", path))) {
    if (!path.endsWith(".ts") || DRAWS.includes(path)) continue;
    const source = Deno.readTextFileSync(path);
    const writes = source.match(
      /\bconsole\.(?:log|error|warn|info|debug|table)\b|\bstd(?:out|err)\.write\w*/g,
    );
    // Questions are the task's own words.
    assert.deepEqual(writes ?? [], path === ASKS ? ["stdout.writeSync"] : [], path);
  }
});

Deno.test({
  name: "a result that cannot be printed is one clear error, in every form of output",
  ignore: Deno.build.os !== "linux",
  async fn() {
    for (const args of [["1girl"], ["1girl", "--json"], ["--file", "no/such.xml", "--json"]]) {
      for (const streams of [">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full"]) {
        const words = [Deno.execPath(), "task", "--quiet", "parse", ...args].join("' '");
        const { code, stderr } = await new Deno.Command("sh", {
          args: ["-c", `'${words}' ${streams}`],
          env: { LC_ALL: "C", NO_COLOR: "1" },
        }).output();
        const said = new TextDecoder().decode(stderr);
        assert.doesNotMatch(said, /^ +at /m);
        const isPrinted = streams.startsWith("2");
        const isFound = args[0] === "1girl";
        assert.equal(code, isFound ? (isPrinted ? 0 : 1) : 2, `${args} ${streams}: ${said}`);
        if (streams === ">/dev/full" && isFound) assert.match(said, /output\): the disk is full\./);
      }
    }
  },
});
