/** What `deno task verify` found, as people read it. */
import {
  CUDA_LIBRARIES,
  type FilesReport,
  type PackagesReport,
  type PatchReport,
  type ProjectReport,
  type SourcesReport,
} from "../../src/integrity/mod.ts";
import { visible } from "../../src/shown.ts";
import type { CheckpointLayout } from "../../src/pipeline/checkpoint/types.ts";
import { language } from "../cli/language.ts";
import { misfitLines } from "../cli/patch_misfits.ts";
import { text } from "./texts.ts";

/** A model that was compared with its configurations. */
export interface ModelReport {
  readonly folder: string;
  readonly isSound: boolean;
  readonly layout?: CheckpointLayout;
  readonly isDemo?: boolean;
  readonly problem?: string;
}

/** All that was found. */
export interface VerifyReport extends ProjectReport {
  readonly models: readonly ModelReport[];
  /** Of the list of checksums itself, where the one that it must have was given. */
  readonly list?: { readonly expected: string; readonly found: string };
  /** Of the code, where the commit that it must be was given; none is found where git is not. */
  readonly commit?: { readonly expected: string; readonly found: string | undefined };
  /** What reading the files took. */
  readonly milliseconds: number;
}

type Severity = "ok" | "note" | "error";
/** A finding, and lines that belong below it. */
type Finding = readonly [severity: Severity, message: string, ...details: string[]];

const MARKS: Readonly<Record<Severity, string>> = { ok: "✓", note: "·", error: "✗" };
const COLORS: Readonly<Record<Severity, number>> = { ok: 32, note: 36, error: 31 };
const MEBIBYTE = 1 << 20;
const MILLISECONDS = 1000;

/** Writes the report; its verdict, for the end, apart. */
export function report(
  found: VerifyReport,
  { color }: { readonly color: boolean },
): { readonly findings: readonly string[]; readonly verdict: string } {
  const findings = findingsOf(found);
  const errors = findings.filter(([severity]) => severity === "error").length;
  const mark = (severity: Severity) =>
    color ? `\x1b[${COLORS[severity]}m${MARKS[severity]}\x1b[0m` : MARKS[severity];
  return {
    findings: findings.flatMap(([severity, message, ...details]) => [
      `${mark(severity)} ${visible(message)}`,
      ...details.map((line) => `  ${visible(line)}`),
    ]),
    verdict: errors === 0 ? text.sound : text.unsound(errors),
  };
}

/** How much was read, and how fast. */
function amountOf(bytes: number, milliseconds: number): string {
  const rate = bytes / 1e6 / (milliseconds / MILLISECONDS);
  return text.amount(Math.round(bytes / MEBIBYTE), Math.round(rate));
}

function findingsOf({ files, list, listProblem, milliseconds, ...found }: VerifyReport): Finding[] {
  return [
    ...(listProblem === undefined ? [] : [["error", listProblem[language]] as const]),
    ...(list === undefined ? [] : [listFinding(list)]),
    ...(files === undefined ? [] : filesFindings(files, milliseconds)),
    ...(found.patchProblem === undefined ? [] : [["error", found.patchProblem[language]] as const]),
    ...found.patches.map(patchFinding),
    ...packagesFindings(found.packages),
    ...(found.sourcesProblem === undefined
      ? []
      : [["error", found.sourcesProblem[language]] as const]),
    ...(found.commit === undefined ? [] : [commitFinding(found.commit)]),
    ...(found.sources === undefined ? [] : sourcesFindings(found.sources)),
    ...listOf(found.pins.map(text.pinProblem), text.pins),
    ...listOf(
      found.dockerfile.map((problem) => text.about("Dockerfile", text.dockerfileProblem(problem))),
      text.about("Dockerfile", text.dockerfile),
    ),
    ...(found.open.length === 0 ? [] : [openFinding(found.open)]),
    ...found.models.map(modelFinding),
  ];
}

function listFinding({ expected, found }: NonNullable<VerifyReport["list"]>): Finding {
  return found === expected ? ["ok", text.listAsKept] : ["error", text.otherList(found, expected)];
}

function commitFinding({ expected, found }: NonNullable<VerifyReport["commit"]>): Finding {
  return found === expected
    ? ["ok", text.commitAsKept]
    : ["error", text.otherCommit(found, expected)];
}

function filesFindings(files: FilesReport, milliseconds: number): Finding[] {
  const { checked, bytes, missing, changed, unlisted, unreadable, notInstalled } = files;
  const about = (paths: readonly string[], what: string) =>
    paths.map((path): Finding => ["error", text.about(path, what)]);
  const problems: Finding[] = [
    ...changed.map(({ path, expected, found }): Finding => [
      "error",
      text.about(path, text.changed(expected, found)),
    ]),
    ...about(missing, text.missing),
    ...about(unlisted, text.unlisted),
    ...unreadable.map(({ problem }): Finding => ["error", problem[language]]),
  ];
  const amount = amountOf(bytes, milliseconds);
  const hasCuda = !CUDA_LIBRARIES.some((path) => notInstalled.includes(path));
  return [
    problems.length === 0
      ? ["ok", text.about("checksums.txt", text.asListed(checked, amount))]
      : ["note", text.about("checksums.txt", text.checked(checked, amount)), text.listHint],
    ...problems,
    ...(hasCuda ? [] : [["note", text.about(text.cuda, text.cudaAbsent)] as const]),
  ];
}

function packagesFindings({ sound, problems }: PackagesReport): Finding[] {
  if (problems.length === 0) return [["ok", text.about("packages.txt", text.packages(sound))]];
  return [
    ["note", text.about("packages.txt", text.packages(sound)), text.packagesHint],
    ...problems.map((problem): Finding => ["error", text.packageProblem(problem)]),
  ];
}

function sourcesFindings({ against, sound, commit = "", ...found }: SourcesReport): Finding[] {
  if (against === "nothing") {
    return [["error", text.about(text.sources, text.noSources), text.noSourcesHint]];
  }
  const summary = text.about(text.sources, text.comparedWith[against](sound, commit));
  const problems = (["changed", "missing", "unlisted"] as const).flatMap((what) =>
    found[what].map((path): Finding => ["error", text.about(path, text.sourceProblems[what])])
  );
  return problems.length === 0
    ? [["ok", summary]]
    : [["note", summary, text.sourcesHints[against]], ...problems];
}

function openFinding(open: readonly string[]): Finding {
  const tops = new Set(open.map((path) => path.split("/", 1)[0]!));
  return ["note", text.open(open.length, open[0]!), text.close([...tops])];
}

function patchFinding(patch: PatchReport): Finding {
  const message = text.about(`patches/${patch.patch}`, text.patchStates[patch.state]);
  return [patch.state === "applied" ? "ok" : "error", message, ...misfitLines(patch)];
}

function modelFinding({ folder, isDemo, isSound, problem }: ModelReport): Finding {
  const subject = isDemo ? `${text.demo} ${folder}` : folder;
  const [message = text.fits, ...details] = problem?.split("\n") ?? [];
  return [isSound ? "ok" : "error", text.about(subject, message), ...details];
}

function listOf(problems: readonly string[], sound: string): Finding[] {
  return problems.length === 0
    ? [["ok", sound]]
    : problems.map((problem): Finding => ["error", problem]);
}
