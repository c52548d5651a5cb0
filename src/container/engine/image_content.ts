/** What of the repository an image holds: what runs in it, and nothing that builds or tests it. */
import { posix } from "node:path";

/** Folders and files of the repository, as git names them. */
const INCLUDED = [
  "models/demo/",
  "patches/",
  "src/",
  "tasks/",
  "Dockerfile",
  "LICENSE",
  "README.md",
  "README.zh-CN.md",
  "checksums.txt",
  "deno.json",
  "deno.lock",
];

/** Drives an engine, which is outside. */
const ENGINE_FOLDER = "src/container/";

/** Tasks that work on the repository, or drive an engine. */
const OUTSIDE_TASKS = [
  "bench",
  "bench:weights",
  "build",
  "bundle",
  "check",
  "checksums",
  "compare",
  "container",
  "eval",
  "fuzz",
  "install:cuda",
  "kernels",
  "load",
];
const OUTSIDE_FILES = OUTSIDE_TASKS.map((name) => name.replaceAll(":", "_"));

/** Whether an image holds a file of the repository. */
export function isInImage(path: string): boolean {
  // A task's own modules are named after it.
  const isOutside = path.startsWith(ENGINE_FOLDER) ||
    OUTSIDE_FILES.some((name) => path === `tasks/${name}.ts` || path.startsWith(`tasks/_${name}_`));
  if (isOutside) return false;
  return INCLUDED.some((name) => name.endsWith("/") ? path.startsWith(name) : path === name);
}

/** A file as the image has it; most are what they are in the repository. */
export function contentForImage(path: string, bytes: Uint8Array): Uint8Array {
  const change = CHANGES[path];
  if (change === undefined) return bytes;
  return new TextEncoder().encode(change(new TextDecoder().decode(bytes)));
}

const CHANGES: Readonly<Record<string, (text: string) => string>> = {
  "deno.json": configurationForImage,
  "checksums.txt": checksumsForImage,
};

/** checksums.txt as the image has it: without weights that lie on this machine and not in there. */
function checksumsForImage(text: string): string {
  const lines = text.split("\n");
  return lines.filter((line) => !/ [ *]models\/(?!demo\/)/.test(line)).join("\n");
}

/**
 * deno.json as the image has it: packages lie there already, so that Deno must never look for those
 * that only tests need; and tasks that have no place there are not offered.
 */
function configurationForImage(text: string): string {
  const configuration = JSON.parse(text) as { tasks: Record<string, unknown> };
  const tasks = Object.entries(configuration.tasks).filter(([name]) =>
    !OUTSIDE_TASKS.includes(name)
  );
  const forImage = {
    ...configuration,
    nodeModulesDir: "manual",
    tasks: Object.fromEntries(tasks),
  };
  return `${JSON.stringify(forImage, null, 2)}\n`;
}

/** What a module's text imports: paths from the module's folder, and packages by their names. */
export function importsOf(text: string): string[] {
  const found = text.matchAll(/\b(?:from|import)\s*\(?\s*"([^"\n]+)"/g);
  return [...found].map(([, specifier]) => specifier!);
}

/** A module of the repository that another imports, as git names it; undefined for a package. */
export function importedPath(module: string, specifier: string): string | undefined {
  if (!/^\.{1,2}\//.test(specifier)) return undefined;
  return posix.join(posix.dirname(module), specifier);
}
