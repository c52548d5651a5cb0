/** From a template's nodes to texts: one by chance, or all of them. */
import { isNearName, MAX_PROMPT_LENGTH } from "../prompt/mod.ts";
import type { Dice } from "./_dice.ts";
import { TEXTS } from "./_texts.ts";
import { parseTemplate } from "./parse_template.ts";
import { TemplateError } from "./template_error.ts";
import type {
  ChoiceNode,
  SequenceNode,
  TemplateNode,
  TemplatePlace,
  VariableNode,
  WildcardNode,
  Wildcards,
  WrapNode,
} from "./types.ts";

/** More choices than any prompt that a person would read takes. */
const MOST_CHOICES = 20_000;
/** The same for all combinations of a template together. */
const MOST_CHOICES_OF_ALL = 200_000;
/** So many options that are looked at count as one more choice. */
const OPTIONS_A_CHOICE = 100;
/** How many wildcards may stand in each other's values. */
const MOST_WILDCARDS_DEEP = 20;
/** The most names that are offered for one that is not there. */
const MOST_SUGGESTIONS = 3;

/** `...`, `…` and other dots that stand for what is wrapped. */
const WRAP_MARK = /[\u1801\u2026\u22ee\u22ef\u22f0\u22f1\ufe19]+|\.{3,}/;

/** What is known at a place of the template. */
interface Scope {
  readonly variables: ReadonlyMap<string, Bound>;
  /** The wildcards whose values this is inside of, outermost first. */
  readonly wildcards: readonly string[];
  /** The variables whose values this is inside of. */
  readonly open: ReadonlySet<string>;
}

/** A variable's value. */
interface Bound {
  readonly node: TemplateNode;
  /** Where the variables in the value are looked up; where it is used, if absent. */
  readonly scope?: Scope;
}

const NOTHING_KNOWN: Scope = { variables: new Map(), wildcards: [], open: new Set() };

/** Makes texts of nodes; counts its work, so that it ends. */
export class Expansion {
  readonly #dice: Dice;
  readonly #wildcards: Wildcards | undefined;
  /** Parsed values of wildcards. */
  readonly #parsed = new Map<object, TemplateNode>();
  /** How often each cyclical choice was asked in {@linkcode all}. */
  readonly #turns = new Map<ChoiceNode["place"], number>();
  readonly #index: number;
  #choices = 0;
  /** What earlier prompts took. */
  #before = 0;

  constructor(dice: Dice, index: number, wildcards: Wildcards | undefined) {
    this.#dice = dice;
    this.#index = index;
    this.#wildcards = wildcards;
  }

  /** Begins the next prompt: each has its own share of work. */
  restart(): void {
    this.#before += this.#choices;
    this.#choices = 0;
  }

  /** One text, by chance. */
  draw(node: TemplateNode, scope: Scope = NOTHING_KNOWN): string {
    switch (node.kind) {
      case "text":
        return node.text;
      case "sequence": {
        const { nodes, scope: inner } = this.#assigned(node, scope);
        return this.#joined(nodes.map((part) => () => this.draw(part, inner)), "");
      }
      case "choice":
        return this.#drawChoice(node, scope);
      case "wildcard": {
        const { choice, inner } = this.#opened(node, scope);
        return this.#drawChoice(choice, inner);
      }
      case "variable": {
        const { node: value, scope: inner } = this.#valueOf(node, scope);
        return this.draw(value, inner);
      }
      case "wrap":
        return wrapped(this.draw(node.wrapper, scope), this.draw(node.inner, scope));
      case "assignment":
        return "";
    }
  }

  /** All texts, in order. */
  *all(node: TemplateNode, scope: Scope = NOTHING_KNOWN): Generator<string> {
    switch (node.kind) {
      case "text":
        yield node.text;
        break;
      case "sequence":
        yield* this.#allOfSequence(node, scope);
        break;
      case "choice":
        yield* this.#allOfChoice(node, scope);
        break;
      case "wildcard":
        yield* this.#allOfWildcard(node, scope);
        break;
      case "variable": {
        const { node: value, scope: inner } = this.#valueOf(node, scope);
        yield* this.all(value, inner);
        break;
      }
      case "wrap":
        yield* this.#allWrapped(node, scope);
        break;
      case "assignment":
        yield "";
    }
  }

  #drawChoice(node: ChoiceNode, scope: Scope): string {
    if (node.method === "cyclical") {
      this.#count(node.place);
      return this.#turn(node, scope, this.#index);
    }
    const rest = this.#optionsOf(node, scope);
    const most = Math.min(node.most, rest.length);
    const least = Math.min(node.least, most);
    const wanted = least + this.#dice.below(most - least + 1);
    this.#count(node.place, rest.length);
    const parts: (() => string)[] = [];
    while (parts.length < wanted && rest.some(({ weight }) => weight > 0)) {
      const [{ node: part, scope: inner }] = rest.splice(
        this.#dice.weighted(rest.map(({ weight }) => weight)),
        1,
      ) as [Option];
      parts.push(() => this.draw(part, inner));
      this.#count(node.place, rest.length);
    }
    return this.#joined(parts, node.separator);
  }

  *#allOfSequence(node: SequenceNode, scope: Scope): Generator<string> {
    for (const { nodes, scope: inner } of this.#allAssigned(node, scope)) {
      const finite = nodes.filter((part) => !hasNoEnd(part));
      for (const texts of combinations(finite.map((part) => () => this.all(part, inner)))) {
        // What is drawn or takes its turn does so anew for each combination of the rest.
        const rest = texts.values();
        yield nodes.map((part) => hasNoEnd(part) ? first(this.all(part, inner)) : rest.next().value)
          .join("");
      }
    }
  }

  *#allOfChoice(node: ChoiceNode, scope: Scope): Generator<string> {
    if (node.method === "random") {
      yield this.#drawChoice(node, scope);
      return;
    }
    if (node.method === "cyclical") {
      const turn = this.#turns.get(node.place) ?? 0;
      this.#turns.set(node.place, turn + 1);
      yield this.#turn(node, scope, turn);
      return;
    }
    const options = this.#optionsOf(node, scope);
    this.#count(node.place, options.length);
    const most = Math.min(node.most, options.length);
    const seen = new Set<string>();
    for (let count = Math.min(node.least, most); count <= most; count++) {
      for (const picked of picks(options, count)) {
        this.#count(node.place);
        const parts = picked.map(({ node: part, scope: inner }) => () => this.all(part, inner));
        for (const texts of combinations(parts)) {
          this.#count(node.place);
          const isRepeated = new Set(texts).size < texts.length;
          const key = JSON.stringify(texts);
          if (isRepeated || seen.has(key)) continue;
          seen.add(key);
          yield joined(texts, node.separator);
        }
      }
    }
  }

  /** Each value in turn, as often as its weight says. */
  *#allOfWildcard(node: WildcardNode, scope: Scope): Generator<string> {
    const { choice, inner } = this.#opened(node, scope);
    if (hasNoEnd(node)) {
      yield* this.#allOfChoice(choice, inner);
      return;
    }
    for (const { node: value, weight } of choice.options) {
      for (let time = 1; time <= weight; time++) {
        this.#count(node.place);
        yield* this.all(value, inner);
      }
    }
  }

  *#allWrapped({ wrapper, inner }: WrapNode, scope: Scope): Generator<string> {
    for (const around of this.all(wrapper, scope)) {
      for (const text of this.all(inner, scope)) yield wrapped(around, text);
    }
  }

  /** The text whose turn it is, of all that a cyclical choice has. */
  #turn(node: ChoiceNode, scope: Scope, turn: number): string {
    const { method: _, ...plain } = node;
    const texts: string[] = [];
    for (const text of this.#allOfChoice(plain, scope)) {
      if (texts.length === turn) return text;
      texts.push(text);
    }
    return texts.length === 0 ? "" : texts[turn % texts.length]!;
  }

  /** Assignments count for the whole sequence, wherever they stand in it. */
  #assigned(node: SequenceNode, scope: Scope) {
    let inner = scope;
    for (const part of node.nodes) {
      if (part.kind !== "assignment" || part.keep && inner.variables.has(part.name)) continue;
      const value: TemplateNode = part.immediate
        ? { kind: "text", text: this.draw(part.value, inner) }
        : part.value;
      inner = withVariable(inner, part.name, { node: value });
    }
    return { nodes: node.nodes.filter(({ kind }) => kind !== "assignment"), scope: inner };
  }

  /** The same for every text of the variables that are chosen once. */
  *#allAssigned(
    node: SequenceNode,
    scope: Scope,
    begin = 0,
  ): Generator<{ nodes: readonly TemplateNode[]; scope: Scope }> {
    let inner = scope;
    for (let place = begin; place < node.nodes.length; place++) {
      const part = node.nodes[place]!;
      if (part.kind !== "assignment" || part.keep && inner.variables.has(part.name)) continue;
      if (!part.immediate) {
        inner = withVariable(inner, part.name, { node: part.value });
        continue;
      }
      for (const text of this.all(part.value, inner)) {
        const value = { node: { kind: "text", text } } as const;
        yield* this.#allAssigned(node, withVariable(inner, part.name, value), place + 1);
      }
      return;
    }
    yield { nodes: node.nodes.filter(({ kind }) => kind !== "assignment"), scope: inner };
  }

  #valueOf({ name, fallback, place }: VariableNode, scope: Scope): Required<Bound> {
    this.#count(place);
    const bound = scope.variables.get(name);
    if (bound === undefined) {
      if (fallback !== undefined) return { node: fallback, scope };
      throw new TemplateError(place(), TEXTS.unknownVariable(name));
    }
    if (bound.scope !== undefined) return { node: bound.node, scope: bound.scope };
    if (scope.open.has(name)) throw new TemplateError(place(), TEXTS.variableRecursion(name));
    return { node: bound.node, scope: { ...scope, open: new Set([...scope.open, name]) } };
  }

  /** A wildcard's values and what is known in them; a name with choices in it is drawn once. */
  #opened(node: WildcardNode, scope: Scope): { choice: ChoiceNode; inner: Scope } {
    const name = this.draw(node.path, scope).trim();
    return { choice: this.#choiceOf(node, name, scope), inner: inside(node, name, scope) };
  }

  /** A wildcard as a choice of its values. */
  #choiceOf(node: WildcardNode, name: string, scope: Scope): ChoiceNode {
    this.#count(node.place);
    if (scope.wildcards.length >= MOST_WILDCARDS_DEEP) {
      const chain = scope.wildcards.slice(-3).map((it) => `__${it}__`);
      throw new TemplateError(node.place(), TEXTS.recursion([...chain, `__${name}__`]));
    }
    const values = this.#wildcards?.values(name) ?? [];
    if (values.length === 0) {
      const { names = [], folder } = this.#wildcards ?? {};
      if (names.includes(name)) throw new TemplateError(node.place(), TEXTS.emptyWildcard(name));
      const near = names.filter((it) => isNearName(name, it)).slice(0, MOST_SUGGESTIONS);
      throw new TemplateError(node.place(), TEXTS.unknownWildcard(name, near, folder));
    }
    return {
      kind: "choice",
      options: values.map((value) => {
        let parsed = this.#parsed.get(value);
        if (parsed === undefined) {
          parsed = parseTemplate(value.text, { file: value.file, line: value.line });
          this.#parsed.set(value, parsed);
        }
        return { weight: value.weight, node: parsed };
      }),
      least: 1,
      most: 1,
      separator: "",
      ...(node.method === undefined ? {} : { method: node.method }),
      place: node.place,
    };
  }

  /** The options of a choice; `{2$$__flavours__}` takes two of the wildcard's values. */
  #optionsOf({ options }: ChoiceNode, scope: Scope): Option[] {
    const [only, ...others] = options;
    if (only?.node.kind !== "wildcard" || others.length > 0) {
      return options.map((option) => ({ ...option, scope }));
    }
    const { choice, inner } = this.#opened(only.node, scope);
    return choice.options.map((option) => ({ ...option, scope: inner }));
  }

  /** The texts of parts, as far as they make a prompt that is not too long. */
  #joined(parts: readonly (() => string)[], separator: string): string {
    const texts: string[] = [];
    let length = 0;
    for (const part of parts) {
      const text = part();
      texts.push(text);
      length += text.length;
      if (length > MAX_PROMPT_LENGTH) {
        throw new TemplateError({ line: 1, column: 1 }, TEXTS.resultTooLong(MAX_PROMPT_LENGTH));
      }
    }
    return joined(texts, separator);
  }

  /** @param options How many there are to choose from. */
  #count(place: () => TemplatePlace, options = 0): void {
    this.#choices += 1 + Math.floor(options / OPTIONS_A_CHOICE);
    if (this.#choices > MOST_CHOICES) {
      throw new TemplateError(place(), TEXTS.endless(MOST_CHOICES));
    }
    if (this.#before + this.#choices > MOST_CHOICES_OF_ALL) {
      throw new TemplateError(place(), TEXTS.endlessCombinations(MOST_CHOICES_OF_ALL));
    }
  }
}

/** What is known where the values of a wildcard stand. */
function inside(node: WildcardNode, name: string, scope: Scope): Scope {
  let inner: Scope = { ...scope, wildcards: [...scope.wildcards, name] };
  for (const [variable, value] of Object.entries(node.variables)) {
    inner = withVariable(inner, variable, { node: value, scope });
  }
  return inner;
}

/** An option of a choice, and what is known there. */
interface Option {
  readonly weight: number;
  readonly node: TemplateNode;
  readonly scope: Scope;
}

/** One of each, the last changing fastest. */
function* combinations(
  parts: readonly (() => Generator<string>)[],
): Generator<readonly string[]> {
  const open: Generator<string>[] = [];
  const texts: string[] = [];
  for (;;) {
    // All that are behind the one that changed begin anew.
    while (open.length < parts.length) {
      open.push(parts[open.length]!());
      const { done, value } = open.at(-1)!.next();
      if (done) break;
      texts.push(value);
    }
    if (texts.length === parts.length) yield [...texts];
    for (;;) {
      if (open.length === 0) return;
      if (texts.length === open.length) texts.pop();
      const { done, value } = open.at(-1)!.next();
      if (!done) {
        texts.push(value);
        break;
      }
      open.pop();
    }
  }
}

/** All ways to take so many options in an order, none twice. */
function* picks(options: readonly Option[], count: number): Generator<readonly Option[]> {
  if (count === 0) {
    yield [];
    return;
  }
  if (count === 1) {
    for (const option of options) yield [option];
    return;
  }
  for (const [index, option] of options.entries()) {
    const others = options.filter((_, other) => other !== index);
    for (const rest of picks(others, count - 1)) yield [option, ...rest];
  }
}

/** Whether a node is drawn by chance or in turn, where all else is combined. */
function hasNoEnd(node: TemplateNode): boolean {
  return (node.kind === "choice" || node.kind === "wildcard") &&
    (node.method === "random" || node.method === "cyclical");
}

/** As the package joins several texts: no separator stands at the beginning or the end. */
function joined(texts: readonly string[], separator: string): string {
  const text = texts.join(separator);
  if (texts.length < 2 || separator === "") return text;
  const begin = text.startsWith(separator) ? separator.length : 0;
  const rest = text.slice(begin);
  return rest.endsWith(separator) ? rest.slice(0, -separator.length) : rest;
}

function first(texts: Generator<string>): string {
  return texts.next().value ?? "";
}

function withVariable(scope: Scope, name: string, value: Bound): Scope {
  return { ...scope, variables: new Map([...scope.variables, [name, value]]) };
}

function wrapped(around: string, inner: string): string {
  const mark = WRAP_MARK.exec(around);
  if (mark === null) return around + inner;
  return around.slice(0, mark.index) + inner + around.slice(mark.index + mark[0].length);
}
