/** `deno task parse`: how a prompt is understood, or where it is wrong. */
import { headed, type Message, NewBieError } from "../src/errors.ts";
import { NEWBIE } from "../src/families/mod.ts";
import { findCheckpoint } from "../src/pipeline/checkpoint/find_checkpoint.ts";
import { openPromptEncoders } from "../src/pipeline/checkpoint/prompt_encoders.ts";
import {
  type CheckedPrompt,
  checkPrompt,
  type LoraTag,
  parseXmlPrompt,
  type PromptEncoder,
  type PromptTokens,
  readLoraTags,
  renderDiagnostics,
  withSystemPrompt,
} from "../src/prompt/mod.ts";
import { beyondTraining, KnownWords } from "../src/studio/known_words.ts";
import { loadTagList, type TagHint, tagHints } from "../src/tags/mod.ts";
import { type Input, readArgument } from "./cli/prompt_input.ts";
import { readInput } from "./parse/input.ts";
import { texts } from "./parse/texts.ts";
import { toXml } from "./parse/to_xml.ts";
import { visible } from "../src/shown.ts";
import { type Paint, treeLines } from "./parse/tree.ts";
import { language, messageOf, run, task, TaskFailure } from "./cli/task.ts";
import { Painted, print, tell } from "./cli/print.ts";
import { understandsEscapes } from "./cli/understands_escapes.ts";

interface Options {
  readonly json?: true;
  readonly prompt?: string;
  readonly promptFile?: string;
  readonly negativePrompt: string;
  readonly model: string;
  readonly toXml?: true;
  readonly assign?: string;
}

/** What each encoder reads of one prompt. */
interface Conditioning {
  /** What stands before the prompt; empty before an empty one. */
  readonly systemPrompt: string;
  /** Where it came from: it stood in front of the prompt, or is the one the model was trained with. */
  readonly systemPromptFrom: "prompt" | "model" | null;
  readonly gemma: string;
  readonly clip: string;
}

const command = task("parse", texts.description)
  .argument("[prompt]", texts.prompt)
  .option("--prompt <text>", texts.promptOption)
  .option("--file, --prompt-file <path>", texts.file)
  .option("--negative-prompt <text>", texts.negative, "")
  .option("--model <folder>", texts.model, ".")
  .option("--to-xml", texts.toXml)
  .option("--assign <tags>", texts.assign)
  .addHelpText("after", texts.examples);

await run<Options>(command, async (options, args) => {
  const input = await readInput(args, options);
  if (options.toXml) {
    return await toXml(input.text, { assigned: options.assign, json: options.json === true });
  }
  const negativeInput = await readArgument(options.negativePrompt, texts.negativePrompt);
  const counters = await openEncoders(options.model);
  const [tags, negativeTags] = [input, negativeInput].map(({ text }) => readLoraTags(text));
  const loras = [...tags!.loras, ...negativeTags!.loras];
  const check = (typed: Input): CheckedPrompt => {
    const { text, blanked } = readLoraTags(typed.text);
    const options = { language, encoders: counters.encoders };
    // What is found has its place in the prompt as typed.
    return {
      ...checkPrompt(text, options),
      diagnostics: checkPrompt(blanked, options).diagnostics,
    };
  };
  const checked = check(input);
  const negative = check(negativeInput);

  const { prompt, canonical } = checked;
  const conditioning = canonical === undefined || negative.canonical === undefined
    ? undefined
    : { positive: conditioningOf(checked), negative: conditioningOf(negative) };
  const diagnostics = [...checked.diagnostics, ...negative.diagnostics];
  const errors = diagnostics.filter(({ severity }) => severity === "error").length;
  const beyond = canonical === undefined || counters.words === undefined
    ? []
    : beyondTraining(counters.words, { prompt: tags!.text })[language];
  const hints = canonical === undefined ? [] : await hintsOf(tags!.text);
  const isUnderstood = canonical !== undefined && prompt.kind === "xml";
  const result = {
    kind: prompt.kind,
    tree: isUnderstood ? parseXmlPrompt(tags!.text) : null,
    canonical: canonical ?? null,
    conditioning: conditioning ?? null,
    tokens: counters.missing === undefined && conditioning !== undefined
      ? { positive: checked.tokens, negative: negative.tokens }
      : null,
    loras,
    beyondTraining: beyond,
    tagHints: hints,
    diagnostics: checked.diagnostics,
    negativeDiagnostics: negative.diagnostics,
  };
  if (!options.json) print(new Painted(reportOf(checked, negative, conditioning, loras)));
  if (counters.missing !== undefined) tell(headed(`${texts.noModel} `, counters.missing));
  if (!options.json) {
    showDiagnostics(input, checked);
    showDiagnostics(negativeInput, negative);
    tell(beyond);
    for (const { tag, name, near } of hints) {
      tell(name === undefined ? texts.misspelt(tag, near) : texts.aliasOf(tag, name));
    }
  }
  const summary = texts.summary(errors, diagnostics.length - errors);
  if (errors > 0) throw new TaskFailure(summary, result, { isRequestWrong: true });
  if (!options.json) tell(summary);
  return result;
});

/** What the person's lists of tags say of a prompt; a list that is none is told of, and no error. */
async function hintsOf(prompt: string): Promise<readonly TagHint[]> {
  try {
    return tagHints(prompt, await loadTagList());
  } catch (error) {
    if (!(error instanceof NewBieError)) throw error;
    tell(messageOf(error).split("\n"));
    return [];
  }
}

function showDiagnostics({ text, source }: Input, { diagnostics }: CheckedPrompt): void {
  if (diagnostics.length === 0) return;
  const color = understandsEscapes(Deno.stderr) && !Deno.noColor;
  const lines = renderDiagnostics(text, diagnostics, { language, source, color }).split("\n");
  tell(new Painted(lines), "");
}

/** The encoders that count tokens, or why there are none. */
async function openEncoders(
  folder: string,
): Promise<{
  readonly encoders: readonly PromptEncoder[];
  readonly words?: KnownWords | undefined;
  readonly missing?: Message;
}> {
  try {
    const files = await findCheckpoint(folder);
    return { encoders: await openPromptEncoders(files), words: await KnownWords.of(files) };
  } catch (error) {
    if (!(error instanceof NewBieError)) throw error;
    return { encoders: [], missing: messageOf(error).split("\n") };
  }
}

function conditioningOf(
  { prompt, canonical = "", systemPrompt: pasted }: CheckedPrompt,
): Conditioning {
  const gemma = withSystemPrompt(canonical, NEWBIE.systemPrompts[prompt.kind], pasted);
  const systemPrompt = gemma.slice(0, gemma.length - canonical.length);
  const source = pasted === undefined ? "model" : "prompt";
  const systemPromptFrom = systemPrompt === "" ? null : source;
  return { systemPrompt, systemPromptFrom, gemma, clip: canonical };
}

function reportOf(
  { prompt, canonical, tokens }: CheckedPrompt,
  negative: CheckedPrompt,
  conditioning: { readonly positive: Conditioning; readonly negative: Conditioning } | undefined,
  loras: readonly LoraTag[],
): string[] {
  const isColored = understandsEscapes(Deno.stdout) && !Deno.noColor;
  const paint = (code: number) => (text: string) =>
    isColored ? `\x1b[${code}m${text}\x1b[0m` : text;
  const bold = paint(1);
  const dim = paint(2);
  const treePaint: Paint = { name: paint(36), branch: dim };
  const { headings } = texts;
  const section = (heading: string, lines: readonly string[]) => [
    bold(heading),
    ...lines.map((line) => line === "" ? "" : `  ${line}`),
    "",
  ];
  const linesOf = (text: string) => text === "" ? [texts.empty] : text.split("\n").map(visible);
  const lines = section(headings.kind, [texts.kinds[prompt.kind]]);
  if (prompt.kind === "xml") {
    lines.push(...section(headings.tree, treeLines(prompt.roots, treePaint)));
  }
  if (loras.length > 0) {
    lines.push(
      ...section(headings.loras, loras.map(({ name, weight }) => visible(`${name}: ${weight}`))),
    );
  }
  if (canonical === undefined || conditioning === undefined) return lines.slice(0, -1);
  lines.push(...section(headings.canonical, linesOf(canonical)));
  const { positive, negative: unwanted } = conditioning;
  lines.push(...section(headings.conditioning, [
    positive.systemPromptFrom === "prompt" ? texts.gemmaPasted : texts.gemma,
    `  ${positive.systemPrompt}${dim(texts.canonicalHere)}`,
    texts.clip,
    ...(unwanted.gemma === ""
      ? [texts.emptyNegative]
      : [texts.givenNegative, ...linesOf(unwanted.gemma).map((line) => `  ${line}`)]),
  ]));
  const count = (say: typeof texts.tokensOf) => ({ encoder, count, maxTokens }: PromptTokens) =>
    say(encoder, count, maxTokens);
  if (tokens.length > 0) {
    lines.push(...section(headings.tokens, [
      ...tokens.map(count(texts.tokensOf)),
      ...negative.tokens.map(count(texts.negativeTokensOf)),
    ]));
  }
  return lines.slice(0, -1);
}
