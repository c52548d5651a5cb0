import type { Texts } from "../language.ts";
import { reasonOf } from "../system_reason.ts";
import { readWholeText } from "../whole_file.ts";
import { join } from "node:path";
import type { PinnedImage } from "./pins.ts";

/**
 * What is wrong with the Dockerfile:
 * - `unreadable`: there is none;
 * - `other-image`: it names an image by a digest that is not pinned for it;
 * - `no-digest`: it builds on an image without saying by digest which;
 * - `no-image`: a pinned image is not in it.
 */
export type DockerfileProblem =
  | { readonly code: "unreadable"; readonly reason: Texts<string> }
  | {
    readonly code: "other-image" | "no-digest";
    /** Counted from 1. */
    readonly line: number;
    readonly found: string;
  }
  | { readonly code: "no-image"; readonly expected: string };

/** An instruction, its continued lines joined. */
interface Instruction {
  readonly line: number;
  readonly text: string;
}

const DIGEST = /([^\s"'=@]*)@?(sha256:[0-9a-f]{64})/g;

/**
 * Compares the images that a project's Dockerfile builds on with the pinned ones.
 *
 * @param root The folder that it is in.
 * @param images All that it may name, and has to.
 */
export async function checkDockerfile(
  root: string,
  images: readonly PinnedImage[],
): Promise<DockerfileProblem[]> {
  let text: string;
  try {
    text = await readWholeText(join(root, "Dockerfile"));
  } catch (error) {
    return [{ code: "unreadable", reason: reasonOf(error) }];
  }
  const problems: DockerfileProblem[] = [];
  const seen = new Set<PinnedImage>();
  const variables = new Map<string, string>();
  const stages = new Set(["scratch"]);
  for (const { line, text: instruction } of instructionsOf(text)) {
    for (const [found, name, digest] of instruction.matchAll(DIGEST)) {
      const image = images.find((image) => image.digest === digest);
      if (image === undefined || !isNameOf(name!, image)) {
        problems.push({ code: "other-image", line, found });
      } else seen.add(image);
    }
    const [, variable, value] = /^ARG\s+(\w+)=["']?([^"'\s]*)/i.exec(instruction) ?? [];
    if (variable !== undefined) variables.set(variable, expand(value!, variables));
    const [, base, stage] = /^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(instruction) ?? [];
    if (base === undefined) continue;
    const image = expand(base, variables);
    if (!stages.has(image) && !/@sha256:[0-9a-f]{64}$/.test(image)) {
      problems.push({ code: "no-digest", line, found: base });
    }
    if (stage !== undefined) stages.add(stage);
  }
  const absent = images.filter((image) => !seen.has(image));
  return [
    ...problems,
    ...absent.map(({ name, digest }): DockerfileProblem => ({
      code: "no-image",
      expected: `${name}@${digest}`,
    })),
  ];
}

/** With the values that variables have by default. */
function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$\{?(\w+)\}?/g, (_, name) => variables.get(name) ?? "");
}

/** Whether a name that stands before a digest is the pinned one, with its tag or without. */
function isNameOf(found: string, { name }: PinnedImage): boolean {
  const plain = found.replace(/^docker\.io\/(library\/)?/, "");
  return [name, name.replace(/:[^/]*$/, ""), ""].includes(plain);
}

function instructionsOf(text: string): Instruction[] {
  const instructions: Instruction[] = [];
  let open: Instruction | undefined;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    open = { line: open?.line ?? index + 1, text: `${open?.text ?? ""} ${line}`.trim() };
    if (open.text.endsWith("\\")) {
      open = { ...open, text: open.text.slice(0, -1).trim() };
      continue;
    }
    instructions.push(open);
    open = undefined;
  }
  return open === undefined ? instructions : [...instructions, open];
}
