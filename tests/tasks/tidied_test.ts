/** Tasks that write large files for minutes, ended in the middle. */
import assert from "node:assert/strict";
import { temporaryFolder } from "../_folders.ts";
import { ROOT } from "./_task_command.ts";

/** Begins a file and a folder, says so, and would never end. */
const PROGRAM = `
import { tidied } from ${JSON.stringify(new URL("tasks/cli/tidied.ts", ROOT).href)};
import { UnfinishedFile, UnfinishedFolder } from ${
  JSON.stringify(new URL("src/unfinished.ts", ROOT).href)
};
const [folder] = Deno.args;
await tidied(async () => {
  await using whole = await UnfinishedFile.create(folder + "/whole");
  await whole.keep();
  await using file = await UnfinishedFile.create(folder + "/weights");
  await file.write(new Uint8Array(1 << 20));
  await using model = await UnfinishedFolder.create(folder + "/model");
  await Deno.writeTextFile(model.path + "/part", "half");
  console.log("begun");
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}, () => {});
`;

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  Deno.test({
    name: `${signal} ends the work and leaves nothing that is half written`,
    ignore: Deno.build.os === "windows",
  }, async () => {
    await using folder = await temporaryFolder();
    const program = `${folder.path}/program.ts`;
    const target = `${folder.path}/target`;
    await Deno.mkdir(target);
    await Deno.writeTextFile(program, PROGRAM);
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--quiet",
        "--config",
        new URL("deno.json", ROOT).pathname,
        program,
        target,
      ],
      env: { LC_ALL: "C" },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = child.stdout.getReader();
    assert.equal(new TextDecoder().decode((await output.read()).value), "begun\n");
    assert.equal([...Deno.readDirSync(target)].length, 3);
    child.kill(signal);
    output.releaseLock();
    const { code: ended, stderr } = await child.output();
    assert.equal(ended, code);
    assert.deepEqual([...Deno.readDirSync(target)].map(({ name }) => name), ["whole"]);
    const said = signal === "SIGHUP" ? "" : "Cancelled; nothing is left of it.\n";
    assert.equal(new TextDecoder().decode(stderr), said);
  });
}
