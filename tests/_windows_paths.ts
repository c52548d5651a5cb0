/**
 * What paths become on Windows, for a test that gives this program Windows' `node:path`. Prints the
 * results as JSON; what is refused is `null`.
 */
import process from "node:process";
import { wayFromHere } from "../src/files.ts";
import { folderName, pictureName } from "../src/studio/outputs.ts";

const asked = JSON.parse(Deno.args[0]!) as Record<"pictures" | "folders" | "ways", string[]>;

const HERE = "C:\\toolkit";
Deno.cwd = () => HERE;
process.cwd = () => HERE;

function orRefused(make: () => string): string | null {
  try {
    return make();
  } catch {
    return null;
  }
}

console.log(JSON.stringify({
  pictures: asked.pictures.map((name) => orRefused(() => pictureName(name))),
  folders: asked.folders.map((name) => orRefused(() => folderName(name))),
  ways: asked.ways.map(wayFromHere),
}));
