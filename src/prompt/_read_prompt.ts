import { Findings } from "./_findings.ts";
import { isXml } from "./_is_xml.ts";
import { parseTree, type Tree } from "./_xml_tree.ts";
import { MAX_PROMPT_LENGTH, type Prompt } from "./types.ts";
import { unwrapPrompt } from "./unwrap_prompt.ts";

/** A prompt, and what was found while reading it. */
export interface ReadPrompt {
  readonly prompt: Prompt;
  readonly findings: Findings;
  /** Absent for plain text. */
  readonly tree?: Tree;
  /** What the findings' places are in. */
  readonly text: string;
  /** Pasted in front of the prompt; absent without one. */
  readonly systemPrompt?: string;
  /** What JSON around the prompt held besides. */
  readonly unused?: readonly string[];
}

/** Reads a prompt to its end, whatever is wrong with it. */
export function readPrompt(typed: string): ReadPrompt {
  if (typed.length > MAX_PROMPT_LENGTH) {
    const findings = new Findings(typed);
    findings.add("too-long", MAX_PROMPT_LENGTH, typed.length, typed.length, MAX_PROMPT_LENGTH);
    return { prompt: { kind: "text", text: typed }, findings, text: typed };
  }
  const { text, ...pasted } = unwrapPrompt(typed);
  const findings = new Findings(text);
  if (!isXml(text)) {
    const own = pasted.systemPrompt === undefined ? text : text.trimStart();
    return { prompt: { kind: "text", text: own }, findings, text, ...pasted };
  }
  const tree = parseTree(text, findings);
  return { prompt: { kind: "xml", roots: tree.roots }, findings, tree, text, ...pasted };
}
