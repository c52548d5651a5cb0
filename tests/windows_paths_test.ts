/**
 * Windows' paths where Windows is not: the program runs in a project of its own, whose `node:path` is
 * that of Windows. Files are not touched.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "./_folders.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

async function onWindows(asked: Record<string, readonly string[]>): Promise<unknown> {
  await using folder = await temporaryFolder();
  const at = (name: string) => join(folder.path, name);
  const { imports, compilerOptions } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  await Deno.writeTextFile(
    at("deno.json"),
    JSON.stringify({
      nodeModulesDir: "manual",
      compilerOptions,
      imports: { ...imports, "node:path": "./windows_path.ts" },
    }),
  );
  await Deno.writeTextFile(
    at("windows_path.ts"),
    'export * from "node:path/win32";\nexport { default } from "node:path/win32";\n',
  );
  for (const name of ["src", "tests", "node_modules"]) {
    await Deno.symlink(join(ROOT, name), at(name), { type: "dir" });
  }
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--cached-only", "--no-lock", "--allow-read"],
      ...["tests/_windows_paths.ts", JSON.stringify(asked)],
    ],
    cwd: folder.path,
  }).output();
  const decoder = new TextDecoder();
  assert.ok(success, decoder.decode(stderr));
  return JSON.parse(decoder.decode(stdout));
}

Deno.test({
  name: "on Windows names have the same shape as elsewhere, and lead out no more than there",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const names = ["miku/smile", "miku\\smile", "a\\..\\b"];
    const outside = ["..\\x", "a\\..\\..\\x", "a/../../x", "C:\\x", "C:x", "\\x", "\\\\host\\x"];
    const found = await onWindows({
      pictures: [...names, ...outside],
      folders: [...names, "miku\\smiles\\", ...outside],
      ways: ["models\\upscaler\\x.safetensors", "models/a.png", "D:\\elsewhere\\a.png"],
    });
    const refused = outside.map(() => null);
    assert.deepEqual(found, {
      pictures: ["miku/smile.png", "miku/smile.png", "b.png", ...refused],
      folders: ["miku/smile", "miku/smile", "b", "miku/smiles", ...refused],
      ways: ["models/upscaler/x.safetensors", "models/a.png", "a.png"],
    });
  },
});
