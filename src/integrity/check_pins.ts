import { join } from "node:path";
import * as z from "zod";
import { readJson } from "../files.ts";
import type { Texts } from "../language.ts";
import { schemaProblem } from "../schema_problems.ts";
import { hashOutcome } from "./hash_file.ts";
import { CUDA_PROVIDER, DENO, ONNX_RUNTIME } from "./pins.ts";

/**
 * What differs from what is pinned:
 * - `unreadable`: a file is missing or no JSON of its kind;
 * - `not-exact`: deno.json asks for a range of versions, or for another registry's package;
 * - `not-frozen`: deno.json lets Deno change the lock;
 * - `not-locked`: deno.json asks for it, and the lock does not say which bytes that is;
 * - `not-asked`: the lock has it, and deno.json does not ask for it;
 * - `no-integrity`: the lock has a package without the checksum of its bytes;
 * - `not-resolved`: a package of the lock needs another that the lock lacks;
 * - `other-version`: something has another version than the pinned one;
 * - `other-binary`: the Deno that runs has other bytes than the pinned one.
 */
export type PinProblem =
  | { readonly code: "unreadable"; readonly subject: string; readonly reason: Texts<string> }
  | {
    readonly code:
      | "not-exact"
      | "not-frozen"
      | "not-locked"
      | "not-asked"
      | "no-integrity"
      | "not-resolved";
    readonly subject: string;
  }
  | {
    readonly code: "other-version" | "other-binary";
    readonly subject: string;
    readonly found: string;
    readonly expected: string;
  };

const configurationSchema = z.object({
  imports: z.record(z.string(), z.string()),
  lock: z.object({ frozen: z.boolean().optional() }).optional(),
});
const lockSchema = z.object({
  specifiers: z.record(z.string(), z.string()),
  npm: z.record(
    z.string(),
    z.object({
      integrity: z.string().optional(),
      dependencies: z.array(z.string()).optional(),
      optionalDependencies: z.array(z.string()).optional(),
    }),
  ),
  workspace: z.object({ dependencies: z.array(z.string()).optional() }).optional(),
});
type Lock = z.infer<typeof lockSchema>;

const EXACT = /^npm:((?:@[^/@]+\/)?[^/@]+)@(\d+\.\d+\.\d+(?:-[\w.]+)?)$/;
/** As npm writes it. */
const INTEGRITY = /^sha512-[A-Za-z0-9+/]{86}==$/;

/**
 * Compares deno.json, deno.lock, the installed packages and the running Deno with each other and
 * with the pins.
 *
 * @param root The top of the project. Packages that are not installed there are passed over.
 */
export async function checkPins(root: string): Promise<PinProblem[]> {
  const problems: PinProblem[] = [];
  const expect = (subject: string, found: string, expected: string) => {
    if (found !== expected) problems.push({ code: "other-version", subject, found, expected });
  };
  expect("Deno", Deno.version.deno, DENO.version);
  problems.push(...await checkDeno());
  expect("CUDA provider's ONNX Runtime", CUDA_PROVIDER.onnxruntime, ONNX_RUNTIME.version);
  const configuration = await readAs(root, "deno.json", configurationSchema, problems);
  const lock = await readAs(root, "deno.lock", lockSchema, problems);
  if (configuration === undefined || lock === undefined) return problems;
  if (configuration.lock?.frozen !== true) {
    problems.push({ code: "not-frozen", subject: "deno.json" });
  }
  const asked = new Set<string>();
  for (const [name, specifier] of Object.entries(configuration.imports)) {
    asked.add(specifier);
    const [, packageName, version] = EXACT.exec(specifier) ?? [];
    if (packageName === undefined || version === undefined) {
      problems.push({ code: "not-exact", subject: specifier });
      continue;
    }
    const locked = lock.specifiers[specifier];
    if (locked === undefined) problems.push({ code: "not-locked", subject: specifier });
    // After an underscore stand the versions of peers.
    else expect(`deno.lock: ${specifier}`, locked.split("_")[0]!, version);
    if (packageName === "onnxruntime-node") {
      expect(`deno.json: ${name}`, version, ONNX_RUNTIME.version);
    }
    const installed = `node_modules/${name}`;
    const file = await readJson(join(root, installed, "package.json"));
    if (file.problem === undefined) {
      expect(installed, String((file.value as { version?: unknown } | null)?.version), version);
    } else if (!file.isMissing) {
      problems.push({ code: "unreadable", subject: installed, reason: file.problem });
    }
  }
  return [...problems, ...checkLock(lock, asked)];
}

/** The bytes of the Deno that runs, where those of its platform are pinned. */
async function checkDeno(): Promise<PinProblem[]> {
  if (Deno.build.target !== DENO.target || Deno.version.deno !== DENO.version) return [];
  const subject = Deno.execPath();
  const { sha256, problem } = await hashOutcome(subject, {});
  if (problem !== undefined) return [{ code: "unreadable", subject, reason: problem }];
  const { sha256: expected } = DENO.binary;
  return sha256 === expected ? [] : [{ code: "other-binary", subject, found: sha256!, expected }];
}

function checkLock(lock: Lock, asked: ReadonlySet<string>): PinProblem[] {
  const { specifiers, npm, workspace: { dependencies: listed = [] } = {} } = lock;
  const problem = (code: "not-locked" | "not-asked" | "no-integrity" | "not-resolved") =>
  (
    subject: string,
  ): PinProblem => ({ code, subject });
  const names = new Map<string, number>();
  for (const key of Object.keys(npm)) {
    const name = key.slice(0, key.indexOf("@", 1));
    names.set(name, (names.get(name) ?? 0) + 1);
  }
  /** A package is named alone where the lock has one version of it. */
  const isLocked = (name: string) => Object.hasOwn(npm, name) || names.get(name) === 1;
  const needed = Object.values(npm).flatMap(({ dependencies = [], optionalDependencies = [] }) =>
    [...dependencies, ...optionalDependencies].map((name) => name.replace(/^.+@npm:/, ""))
  );
  const resolved = Object.entries(specifiers).map(([specifier, version]) =>
    `${EXACT.exec(specifier)?.[1] ?? specifier}@${version}`
  );
  return [
    ...[...new Set([...listed, ...Object.keys(specifiers)])]
      .filter((specifier) => !asked.has(specifier)).map(problem("not-asked")),
    ...[...asked].filter((specifier) => !listed.includes(specifier) && specifier in specifiers)
      .map(problem("not-locked")),
    ...Object.entries(npm).filter(([, { integrity = "" }]) => !INTEGRITY.test(integrity))
      .map(([key]) => key).map(problem("no-integrity")),
    ...[...new Set([...needed, ...resolved])].filter((name) => !isLocked(name))
      .map(problem("not-resolved")),
  ];
}

async function readAs<T>(
  root: string,
  name: string,
  schema: z.ZodType<T>,
  problems: PinProblem[],
): Promise<T | undefined> {
  const file = await readJson(join(root, name));
  const parsed = file.problem === undefined ? schema.safeParse(file.value) : undefined;
  if (parsed?.success) return parsed.data;
  const reason = file.problem ?? schemaProblem(parsed!.error!);
  problems.push({ code: "unreadable", subject: name, reason });
  return undefined;
}
