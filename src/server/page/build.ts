/** Builds what a browser is given, `built/`, from this folder: `deno task page`. */
import * as esbuild from "esbuild";

const FOLDER = new URL(".", import.meta.url);
const BUILT = new URL(Deno.args[0] ?? "built/", FOLDER);
/** As old as browsers may be. */
const TARGET = ["chrome123", "firefox128", "safari18"];
const COPIED = ["index.html", "manifest.json", "icon.svg"];

await Deno.mkdir(BUILT, { recursive: true });
const bundled = await esbuild.build({
  absWorkingDir: FOLDER.pathname,
  entryPoints: { page: "main.tsx", style: "page.css" },
  outdir: "built",
  bundle: true,
  write: false,
  minify: true,
  format: "esm",
  target: TARGET,
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "inline",
  charset: "utf8",
});
for (const { path, contents } of bundled.outputFiles) {
  const name = path.split("/").at(-1)!.replace("style.css", "page.css");
  await Deno.writeFile(new URL(name, BUILT), contents);
}
for (const name of COPIED) await Deno.copyFile(new URL(name, FOLDER), new URL(name, BUILT));
await esbuild.stop();
