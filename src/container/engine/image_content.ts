/** What of the repository an image holds: what runs in it, and nothing that builds or tests it. */

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
  "packages.txt",
];

/** What drives an engine from outside, and the commands that only a checkout has. */
const OUTSIDE_FOLDERS = ["src/container/", "tasks/checkout/"];

/** The page's sources; a browser is given what was built of them. */
const PAGE = "src/server/page/";
const BUILT_PAGE = `${PAGE}built/`;

/** Tasks that need a checkout or the network, although their modules are in the image or are Deno's. */
const OUTSIDE_TASKS = ["check", "install:cuda"];

/** `create` by the toolkit's own kernels. */
const FAST = "create:fast";

/** Whether an image holds a file of the repository. */
export function isInImage(path: string): boolean {
  if (OUTSIDE_FOLDERS.some((folder) => path.startsWith(folder))) return false;
  if (path.startsWith(PAGE) && !path.startsWith(BUILT_PAGE)) return false;
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
 * that only tests need; tasks that have no place there are not offered; and `create` is
 * `create:fast`, since what leave for all native code could get round there is no network.
 */
function configurationForImage(text: string): string {
  const configuration = JSON.parse(text) as { tasks: Record<string, { command: string }> };
  const tasks = Object.entries(configuration.tasks).filter(([name, { command }]) =>
    !OUTSIDE_TASKS.includes(name) &&
    !OUTSIDE_FOLDERS.some((folder) => command.includes(` ${folder}`))
  );
  const { [FAST]: fast } = configuration.tasks;
  const forImage = {
    ...configuration,
    nodeModulesDir: "manual",
    tasks: {
      ...Object.fromEntries(tasks),
      ...(fast === undefined
        ? {}
        : { create: { ...configuration.tasks.create, command: fast.command } }),
    },
  };
  return `${JSON.stringify(forImage, null, 2)}\n`;
}

/** What a module's text imports: paths from the module's folder, and packages by their names. */
export function importsOf(text: string): string[] {
  const found = text.matchAll(/\b(?:from|import)\s*\(?\s*"([^"\n]+)"/g);
  return [...found].map(([, specifier]) => specifier!);
}
