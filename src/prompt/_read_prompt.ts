import { Findings } from "./_findings.ts";
import { isXml } from "./_is_xml.ts";
import { parseTree, type Tree } from "./_xml_tree.ts";
import { MAX_PROMPT_LENGTH, type Prompt } from "./types.ts";

/** A prompt, and what was found while reading it. */
export interface ReadPrompt {
  readonly prompt: Prompt;
  readonly findings: Findings;
  /** Absent for plain text. */
  readonly tree?: Tree;
}

/** Reads a prompt to its end, whatever is wrong with it. */
export function readPrompt(text: string): ReadPrompt {
  const findings = new Findings(text);
  if (text.length > MAX_PROMPT_LENGTH) {
    findings.add("too-long", MAX_PROMPT_LENGTH, text.length, text.length, MAX_PROMPT_LENGTH);
    return { prompt: { kind: "text", text }, findings };
  }
  if (!isXml(text)) return { prompt: { kind: "text", text }, findings };
  const tree = parseTree(text, findings);
  return { prompt: { kind: "xml", roots: tree.roots }, findings, tree };
}
