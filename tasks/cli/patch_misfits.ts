/** What is told of a patch that does not fit: which hunk of which file, and what to do. */
import type { PatchReport } from "../../src/integrity/mod.ts";
import { texts } from "../install/texts.ts";

/** The files and hunks that do not fit, a line each; none of a patch that fits. */
export function misfitLines({ files }: PatchReport): string[] {
  const lines: string[] = [];
  for (const { path, misfit } of files) {
    if (misfit === undefined) continue;
    lines.push(path);
    if (misfit.code === "no-file") {
      const instead = misfit.installed.join(", ");
      lines.push(`  ${texts.noFile}${instead === "" ? "" : ` ${texts.installed(instead)}`}`);
    } else {
      lines.push(`  ${texts.hunk(misfit.number)}`);
      lines.push(...[misfit.header, ...misfit.lines].map((line) => `  ${line}`));
    }
  }
  return lines.length === 0 ? [] : [...lines, ...texts.layAnew];
}
