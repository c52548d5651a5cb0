/** `deno task checksums`: what checksums.txt must list, and with `--write` the list itself. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { writeFileAtomically } from "../../src/files.ts";
import {
  CHECKSUM_LIST,
  type Checksums,
  formatChecksums,
  formatPackageList,
  installedPackages,
  PACKAGE_LIST,
  packageDigest,
  packagesOfSomeSystems,
  parseChecksums,
  parsePackageList,
  updateChecksums,
} from "../../src/integrity/mod.ts";
import { ProgressLine } from "../cli/progress.ts";
import { run, task, TaskFailure } from "../cli/task.ts";
import { reading, text as texts } from "../verify/texts.ts";
import { print, tell } from "../cli/print.ts";

interface Options {
  readonly json?: true;
  readonly write?: true;
  readonly packages?: true;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LIST = `${ROOT}${CHECKSUM_LIST}`;
const text = texts.checksums;

const command = task("checksums", text.description)
  .option("--write", text.write)
  .option("--packages", text.packages)
  .addHelpText("after", `\n${text.examples}`);

await run<Options>(command, async ({ json, packages, write = packages }) => {
  if (packages) tell(text.packagesWritten(await writePackageList()));
  const line = new ProgressLine();
  const update = await updateChecksums(ROOT, await listed(write), {
    onProgress: (bytes, total) => line.show(bytes, total, reading),
  });
  line.clear();
  const { checksums, added, changed, removed } = update;
  const say = json ? tell : print;
  for (
    const [paths, what] of [[added, text.added], [changed, text.changed], [
      removed,
      text.removed,
    ]] as const
  ) {
    for (const path of paths) say(texts.about(path, what));
  }
  const differences = { added, changed, removed };
  if (added.length + changed.length + removed.length === 0) {
    say(text.right);
    return { written: false, ...differences };
  }
  if (!write) throw new TaskFailure(text.stale, differences);
  await save(CHECKSUM_LIST, formatChecksums(checksums));
  say(text.written(checksums.size));
  return { written: true, ...differences };
});

/** One that is damaged or absent can be made anew. */
async function listed(write: true | undefined): Promise<Checksums> {
  try {
    return parseChecksums(await readFile(LIST, "utf8"), CHECKSUM_LIST);
  } catch (error) {
    if (write) return new Map();
    throw error;
  }
}

/**
 * Lists the packages that are installed, and keeps what is listed of those for other systems;
 * returns how many there are.
 */
async function writePackageList(): Promise<number> {
  const elsewhere = packagesOfSomeSystems(await readFile(`${ROOT}deno.lock`, "utf8"));
  const listed = parsePackageList(await readFile(`${ROOT}${PACKAGE_LIST}`, "utf8"));
  const digests = new Map([...listed].filter(([key]) => elsewhere.has(key)));
  for (const item of await installedPackages(ROOT)) {
    digests.set(item.key, await packageDigest(ROOT, item));
  }
  await save(PACKAGE_LIST, formatPackageList(digests));
  return digests.size;
}

async function save(name: string, content: string): Promise<void> {
  try {
    const bytes = new TextEncoder().encode(content);
    await writeFileAtomically(`${ROOT}${name}`, bytes, { scratchIn: ROOT });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new TaskFailure(text.notWritable(name, code), {});
  }
}
