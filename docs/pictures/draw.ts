/**
 * Draws README's pictures again, as pictures.jsonl asks for them. Run it after the demo model has
 * changed, from the repository's root, and look at what comes out:
 *
 *     deno run --allow-read --allow-write --allow-run=deno docs/pictures/draw.ts
 */
const FOLDER = new URL("./", import.meta.url);
const ROOT = new URL("../../", import.meta.url);
/** A new name: a batch never makes again what it finds in its folder. */
const batch = `pictures_${Deno.pid}`;

const { success } = await new Deno.Command("deno", {
  args: ["task", "--quiet", "create", "--batch", "docs/pictures/pictures.jsonl", "--output", batch],
  cwd: ROOT,
}).spawn().status;
if (!success) Deno.exit(1);
const made = new URL(`outputs/${batch}/`, ROOT);
for await (const { name } of Deno.readDir(made)) {
  await Deno.copyFile(new URL(name, made), new URL(name, FOLDER));
  console.log(`docs/pictures/${name}`);
}
await Deno.remove(made, { recursive: true });
