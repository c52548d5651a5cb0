/** Where pictures go, in an installation of one's own and in one that many share. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../_folders.ts";
import { ROOT, taskCommand } from "../tasks/_task_command.ts";

const CONFIGURATION = new URL("deno.json", ROOT);
const program = `
  import { chooseOutputs } from ${JSON.stringify(new URL("src/studio/choose_outputs.ts", ROOT))};
  const [asked, startedIn] = Deno.args.map((text) => text || undefined);
  try {
    console.log(await chooseOutputs({ asked, startedIn }));
  } catch (error) {
    console.log(error.name + ": " + error.message);
  }
`;

/** Runs in a folder of its own, with the permissions of `create`. */
async function choose(toolkit: string, asked: string, startedIn: string): Promise<string> {
  const place = `${toolkit}/program.ts`;
  await Deno.writeTextFile(place, program);
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--no-prompt", "--config", fileURLToPath(CONFIGURATION)],
      ...["--allow-read", `--allow-write=outputs,${startedIn}/outputs`, place, asked, startedIn],
    ],
    cwd: toolkit,
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("pictures go to the toolkit's outputs, or to those of where a person started", async () => {
  await using folder = await temporaryFolder();
  const [toolkit, person] = [`${folder.path}/toolkit`, `${folder.path}/person`];
  await Deno.mkdir(toolkit);
  await Deno.mkdir(person);
  assert.equal(await choose(toolkit, "", person), "outputs");
  assert.equal(await choose(toolkit, "outputs/mine", person), `${person}/outputs/mine`);
  assert.equal(await choose(toolkit, `${toolkit}/outputs/mine`, person), "outputs/mine");
  // A file where the folder would be: nothing can be written there, whoever asks.
  await Deno.remove(`${toolkit}/outputs`, { recursive: true });
  await Deno.writeTextFile(`${toolkit}/outputs`, "");
  assert.equal(await choose(toolkit, "", person), `${person}/outputs`);
  await Deno.remove(`${person}/outputs`, { recursive: true });
  await Deno.writeTextFile(`${person}/outputs`, "");
  assert.match(
    await choose(toolkit, "", person),
    /^NewBieError: outputs cannot be written.*--config/s,
  );
});

Deno.test("a folder that Deno gives no leave for is told with what to do", async () => {
  await using folder = await temporaryFolder();
  const said = await choose(folder.path, `${folder.path}/elsewhere`, folder.path);
  assert.match(said, /^RequestError: .*elsewhere: Deno lets this task write.*--config/s);
});

Deno.test("of a folder whose name Deno cannot take, the name is told", async () => {
  await using folder = await temporaryFolder();
  const [toolkit, person] = [`${folder.path}/toolkit`, `${folder.path}/red, blue`];
  await Deno.mkdir(toolkit);
  await Deno.mkdir(person);
  await Deno.writeTextFile(`${toolkit}/outputs`, "");
  const said = await choose(toolkit, "", person);
  assert.match(said, /red, blue cannot be used instead: .* a comma in its name\. Start in another/);
});

Deno.test("create writes below the folder that --output-root names", async () => {
  const outputs = fileURLToPath(new URL("outputs", ROOT));
  await Deno.mkdir(outputs, { recursive: true });
  const root = await Deno.makeTempDir({ dir: outputs });
  await using _root = { [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }) };
  const args = ["--prompt", "1girl", "--steps", "1", "--width", "32", "--height", "32", "--json"];
  const { stdout, stderr } = await taskCommand("create", [...args, "--output-root", root], {
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.notEqual(text, "", new TextDecoder().decode(stderr));
  const [{ path }] = JSON.parse(text).pictures;
  assert(new URL(path, ROOT).pathname.startsWith(`${root}/`), path);
});
