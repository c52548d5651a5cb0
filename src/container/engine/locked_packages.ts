import { NewBieError } from "../../errors.ts";

/** A package of deno.lock. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** `sha512-` and the hash of its tarball in base64. */
  readonly integrity: string;
  /** What it imports, and which of the locked packages that is. */
  readonly dependencies: readonly LockedPackage[];
}

/** The part of deno.lock (version 5) that is read here. */
interface Lock {
  readonly version: string;
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm: Readonly<
    Record<string, {
      readonly integrity: string;
      readonly dependencies?: readonly string[];
      readonly optionalDependencies?: readonly string[];
    }>
  >;
}

const LOCK_VERSION = "5";

/**
 * The packages that some imports lead to, each once, in the order of their names.
 *
 * @param lock The text of deno.lock.
 * @param specifiers As deno.json writes them: `npm:zod@4.6.7`.
 * @returns All of them, and those that the specifiers name.
 */
export function lockedPackages(
  lock: string,
  specifiers: readonly string[],
): { readonly all: readonly LockedPackage[]; readonly named: readonly LockedPackage[] } {
  const { version, specifiers: locked, npm } = JSON.parse(lock) as Lock;
  if (version !== LOCK_VERSION) throw unreadable(`version ${version}, not ${LOCK_VERSION}`);
  const found = new Map<string, LockedPackage>();
  const keys = Object.keys(npm);

  const read = (key: string): LockedPackage => {
    const known = found.get(key);
    if (known !== undefined) return known;
    const entry = npm[key];
    if (entry === undefined) throw unreadable(key);
    if (entry.optionalDependencies !== undefined) {
      // Which of them fit depends on the machine. None is needed in an image so far.
      throw unreadable(`${key}: optionalDependencies`);
    }
    const place = key.lastIndexOf("@");
    const dependencies: LockedPackage[] = [];
    const name = key.slice(0, place);
    const item = { name, version: key.slice(place + 1), integrity: entry.integrity, dependencies };
    // It is noted before its dependencies, which may lead back to it.
    found.set(key, item);
    for (const dependency of entry.dependencies ?? []) dependencies.push(read(keyOf(dependency)));
    return item;
  };
  /** A package is named alone where the lock has one version of it. */
  const keyOf = (name: string) =>
    name in npm ? name : keys.find((key) => key.slice(0, key.lastIndexOf("@")) === name) ?? name;

  const named = specifiers.map((specifier) => {
    const chosen = locked[specifier];
    if (chosen === undefined) throw unreadable(specifier);
    return read(`${specifier.slice("npm:".length, specifier.lastIndexOf("@"))}@${chosen}`);
  });
  const all = [...found.keys()].sort().map((key) => found.get(key)!);
  return { all, named };
}

/** The name of the folder that Deno keeps a package in. */
export function folderOf({ name, version }: LockedPackage): string {
  return `${name.replace("/", "+")}@${version}`;
}

function unreadable(what: string): NewBieError {
  return new NewBieError(`deno.lock: ${what} is not understood. Run: deno install --frozen`, {
    zh: `deno.lock：无法理解 ${what}。请运行：deno install --frozen`,
  });
}
