/** The rooms of the code, and which of them may use which. CONTRIBUTING.md draws the map. */
import assert from "node:assert/strict";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * From the top floor down. A file may import from its own room and from lower floors, never from
 * its neighbours on the same floor or from above. A file at the top of `src/` is a room of its own.
 */
const FLOORS: readonly (readonly string[])[] = [
  ["tasks", "training"],
  ["bench"],
  ["src/mod.ts"],
  ["src/server"],
  ["src/studio", "src/doctor", "src/container"],
  ["src/recipe", "src/merge", "src/quantize", "src/terminal"],
  ["src/pipeline"],
  ["src/settings"],
  ["src/adapters"],
  ["src/families"],
  ["src/kernels", "src/machine"],
  ["src/models", "src/runtime"],
  ["src/onnx"],
  [
    "src/image",
    "src/integrity",
    "src/random",
    "src/schedulers",
    "src/tags",
    "src/templates",
    "src/tokenizer",
  ],
  ["src/prompt", "src/safetensors"],
  ["src/gguf"],
  ["src/files.ts"],
  ["src/write_tensor_file.ts"],
  ["src/unfinished.ts", "src/json_problem.ts", "src/schema_problems.ts", "src/weights_error.ts"],
  ["src/errors.ts"],
  ["src/system_reason.ts"],
  ["src/whole_file.ts"],
  [
    "src/display_width.ts",
    "src/format_bytes.ts",
    "src/kernel_file.ts",
    "src/language.ts",
    "src/shown.ts",
    "src/settled.ts",
    "src/side_by_side.ts",
    "src/tensor.ts",
    "src/text_of_bytes.ts",
    "src/threads.ts",
  ],
];

/** Packages that only one room may know. */
const KEPT_PACKAGES: Readonly<Record<string, string>> = {
  "onnxruntime-node": "src/runtime/",
  "onnxruntime-common": "src/runtime/",
  "dockerode": "src/container/engine/",
};

/** What is imported or re-exported by name, and what is imported when it is needed. */
const IMPORTS = /\b(?:import|export)\b[^;"'`]*?\bfrom\s+"([^"]+)"|\bimport\s*\(?\s*"([^"]+)"/g;

interface Module {
  readonly path: string;
  readonly imports: readonly string[];
}

async function modulesBelow(folder: string): Promise<Module[]> {
  const modules: Module[] = [];
  for await (const { name, isDirectory } of Deno.readDir(posix.join(ROOT, folder))) {
    const path = posix.join(folder, name);
    if (isDirectory) modules.push(...await modulesBelow(path));
    else if (name.endsWith(".ts")) {
      const text = await Deno.readTextFile(posix.join(ROOT, path));
      modules.push({ path, imports: importsOf(path, text) });
    }
  }
  return modules;
}

/** Modules as paths from the repository's root, packages by the names that deno.json gives them. */
function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(IMPORTS)].map(([, named, needed]) => {
    const specifier = (named ?? needed)!;
    return specifier.startsWith(".")
      ? posix.join(posix.dirname(path), specifier)
      : specifier.replace(/^npm:/, "").replace(/(?<=.)@[^/]*/, "");
  });
}

const MODULES = (await Promise.all(["src", "tasks", "bench", "training"].map(modulesBelow))).flat();
const MODULE = new Map(MODULES.map((module) => [module.path, module]));

function roomOf(path: string): string {
  const [top, room] = path.split("/") as [string, string];
  return top === "src" ? `${top}/${room}` : top;
}

function floorOf(room: string): number {
  const floor = FLOORS.findIndex((rooms) => rooms.includes(room));
  assert(floor >= 0, `${room} stands on no floor; give it one in this test and in CONTRIBUTING.md`);
  return floor;
}

/** Every import of one module by another of the repository. */
function* uses(): Generator<[user: string, used: string]> {
  for (const { path, imports } of MODULES) {
    for (const used of imports) if (MODULE.has(used)) yield [path, used];
  }
}

Deno.test("imports are found, in the forms in which they are written", () => {
  const text =
    'import "./a.ts";\nimport type {\n  B,\n} from "../b.ts";\nexport * from "./c.ts";\n' +
    'const d = await import("./d.ts");\nimport { e } from "e";\nimport f from "npm:@f/f@1.0.0";';
  assert.deepEqual(importsOf("src/x/y.ts", text), [
    "src/x/a.ts",
    "src/b.ts",
    "src/x/c.ts",
    "src/x/d.ts",
    "e",
    "@f/f",
  ]);
  assert(MODULES.length > 200);
  assert([...uses()].length > MODULES.length);
});

Deno.test("a room uses only the floors below it", () => {
  const upward = [...uses()].filter(([user, used]) => {
    const [from, to] = [roomOf(user), roomOf(used)];
    return from !== to && floorOf(from) >= floorOf(to);
  });
  assert.deepEqual(upward.map(([user, used]) => `${user} imports ${used}`), []);
});

Deno.test("no file imports itself by way of others", () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, way: readonly string[]) => {
    const begin = way.indexOf(path);
    if (begin >= 0) circles.push([...way.slice(begin), path].join(" → "));
    if (begin >= 0 || done.has(path)) return;
    for (const used of MODULE.get(path)?.imports ?? []) {
      if (MODULE.has(used)) visit(used, [...way, path]);
    }
    done.add(path);
  };
  for (const { path } of MODULES) visit(path, []);
  assert.deepEqual(circles, []);
});

Deno.test("a file whose name begins with an underscore is used in its own folder alone", () => {
  const strangers = [...uses()].filter(([user, used]) =>
    posix.basename(used).startsWith("_") && posix.dirname(used) !== posix.dirname(user)
  );
  assert.deepEqual(strangers.map(([user, used]) => `${user} imports ${used}`), []);
});

Deno.test("ONNX Runtime and Docker are each known to one room", () => {
  const seen = new Set<string>();
  for (const { path, imports } of MODULES) {
    for (const name of imports) {
      const room = KEPT_PACKAGES[name];
      if (room === undefined) continue;
      seen.add(name);
      assert(path.startsWith(room), `${path} imports ${name}, which is for ${room}`);
    }
  }
  assert(seen.has("onnxruntime-node") && seen.has("dockerode"));
});
