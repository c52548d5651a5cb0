/** Recipes come from anyone: which files they can lead to. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { RequestError } from "../../src/errors.ts";
import { recipeSource } from "../../src/studio/recipe_source.ts";
import { temporaryFolder } from "../_folders.ts";

const BYTES = new TextEncoder().encode("a picture");
const image = createHash("sha256").update(BYTES).digest("hex");

Deno.test("the picture that a recipe names is found beside its own, and nowhere else", async () => {
  await using folder = await temporaryFolder();
  const from = join(folder.path, "shared/from.png");
  await Deno.mkdir(join(folder.path, "shared"));
  await Deno.mkdir(join(folder.path, "private"));
  await Deno.writeFile(join(folder.path, "private/own.png"), BYTES);
  const names = [
    join(folder.path, "private/own.png"),
    "../private/own.png",
    "x/../../private/own.png",
    "..\\private\\own.png",
  ];
  const found = async (name: string) =>
    (await recipeSource({ source: { image: name }, pictures: { image } }, from)).source.image;
  for (const name of names) await assert.rejects(found(name), /is not there.* --image FILE/, name);
  await Deno.writeFile(join(folder.path, "shared/own.png"), BYTES);
  for (const name of names) assert.equal(await found(name), join(folder.path, "shared/own.png"));
});

Deno.test("a picture whose checksum a recipe does not state is not taken", async () => {
  await using folder = await temporaryFolder();
  const from = join(folder.path, "from.png");
  await Deno.writeFile(join(folder.path, "own.png"), BYTES);
  const unnamed = recipeSource({ source: { image: "own.png" } }, from);
  await assert.rejects(unnamed, (error) => {
    assert(error instanceof RequestError);
    assert.match(error.message, /no SHA-256 of it\. Give the picture with --image FILE/);
    return true;
  });
  const given = { image: join(folder.path, "own.png") };
  const { source } = await recipeSource({ source: { image: "other.png" } }, from, given);
  assert.equal(source.image, given.image);
});

Deno.test({
  name: "a pipe in the picture's place is another picture, and not waited for",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await temporaryFolder();
    const from = join(folder.path, "from.png");
    await new Deno.Command("mkfifo", { args: [join(folder.path, "own.png")] }).output();
    const asked = recipeSource({ source: { image: "own.png" }, pictures: { image } }, from);
    await assert.rejects(asked, /is another picture now/);
  },
});
