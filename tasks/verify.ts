/** `deno task verify`: is everything what it was pinned to be? Changes nothing. */
import { InvalidArgumentError } from "commander";
import { fileURLToPath } from "node:url";
import { CHECKSUM_LIST, hashOutcome, verifyProject } from "../src/integrity/mod.ts";
import { findCheckpoint } from "../src/pipeline/checkpoint/find_checkpoint.ts";
import { checkCheckpoint } from "../src/pipeline/check_checkpoint.ts";
import { ProgressLine } from "./cli/progress.ts";
import { messageOf, run, task, TaskFailure } from "./cli/task.ts";
import { type ModelReport, report, type VerifyReport } from "./verify/report.ts";
import { reading, text } from "./verify/texts.ts";
import { Painted, print, tell } from "./cli/print.ts";
import { understandsEscapes } from "./cli/understands_escapes.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DEMO_MODEL = "models/demo";

const command = task("verify", text.description)
  .option("--sha256 <digest>", text.sha256, digest)
  .option("--commit <name>", text.commit, commitName)
  .addHelpText("after", `\n${text.examples}`);

interface Options {
  readonly json?: true;
  readonly sha256?: string;
  readonly commit?: string;
}

await run<Options>(command, async ({ json, sha256, commit: kept }) => {
  const start = performance.now();
  const line = new ProgressLine();
  const project = await verifyProject(ROOT, {
    onProgress: (bytes, total) => line.show(bytes, total, reading),
  });
  line.clear();
  const milliseconds = performance.now() - start;
  const models = await checkModels();
  const list = sha256 === undefined ? undefined : { expected: sha256, found: await listDigest() };
  const commit = kept === undefined
    ? undefined
    : { expected: kept, found: project.sources?.commit };
  const isSound = project.isSound && models.every((model) => model.isSound) &&
    list?.found === list?.expected && commit?.found === commit?.expected;
  const found: VerifyReport = {
    ...project,
    isSound,
    models,
    milliseconds,
    ...(list && { list }),
    ...(commit && { commit }),
  };
  const { findings, verdict } = report(found, { color: mayColor(json) });
  const say = json ? tell : print;
  say(new Painted(findings));
  if (!isSound) throw new TaskFailure(verdict, { ...found });
  say(verdict);
  return found;
});

/** 64 hexadecimal digits, as sha256sum prints them. */
function digest(value: string): string {
  if (/^[0-9a-f]{64}$/i.test(value)) return value.toLowerCase();
  throw new InvalidArgumentError(text.noDigest);
}

/** A commit's whole name, by SHA-1 or SHA-256: a part of it can be had for another commit. */
function commitName(value: string): string {
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(value)) return value.toLowerCase();
  throw new InvalidArgumentError(text.noCommit);
}

/** Of the list of checksums itself; empty where there is none, which is told apart. */
async function listDigest(): Promise<string> {
  return (await hashOutcome(`${ROOT}${CHECKSUM_LIST}`, {})).sha256 ?? "";
}

/** The model that pictures are made with, and the demo model if it is another. */
async function checkModels(): Promise<ModelReport[]> {
  const found = await findCheckpoint(".").catch(() => undefined);
  const folders = found?.isDemo ? [DEMO_MODEL] : [".", DEMO_MODEL];
  return await Promise.all(folders.map(checkModel));
}

async function checkModel(folder: string): Promise<ModelReport> {
  try {
    const { layout, isDemo } = await checkCheckpoint(folder);
    return { folder, isSound: true, layout, isDemo };
  } catch (error) {
    return { folder, isSound: false, problem: messageOf(error) };
  }
}

function mayColor(json: true | undefined): boolean {
  return understandsEscapes(json ? Deno.stderr : Deno.stdout) && !Deno.env.get("NO_COLOR");
}
