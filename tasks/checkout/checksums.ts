/** `deno task checksums`: what checksums.txt must list, and with `--write` the list itself. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { writeFileAtomically } from "../../src/files.ts";
import {
  CHECKSUM_LIST,
  type Checksums,
  formatChecksums,
  parseChecksums,
  updateChecksums,
} from "../../src/integrity/mod.ts";
import { ProgressLine } from "../cli/progress.ts";
import { run, task, TaskFailure } from "../cli/task.ts";
import { reading, text as texts } from "../verify/texts.ts";
import { print, tell } from "../cli/print.ts";

interface Options {
  readonly json?: true;
  readonly write?: true;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LIST = `${ROOT}${CHECKSUM_LIST}`;
const text = texts.checksums;

const command = task("checksums", text.description)
  .option("--write", text.write)
  .addHelpText("after", `\n${text.examples}`);

await run<Options>(command, async ({ json, write }) => {
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
  await save(checksums);
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

async function save(checksums: Checksums): Promise<void> {
  try {
    const bytes = new TextEncoder().encode(formatChecksums(checksums));
    await writeFileAtomically(LIST, bytes, { scratchIn: ROOT });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new TaskFailure(text.notWritable(code), {});
  }
}
