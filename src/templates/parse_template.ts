import { MAX_PROMPT_LENGTH } from "../prompt/mod.ts";
import { TEXTS } from "./_texts.ts";
import { TemplateError } from "./template_error.ts";
import type { ChoiceMethod, TemplateNode, TemplatePlace } from "./types.ts";

/** How deep choices may stand inside each other. */
const MOST_DEPTH = 32;

const METHODS: Readonly<Record<string, ChoiceMethod>> = {
  "~": "random",
  "!": "combinatorial",
  "@": "cyclical",
};
/** Characters that a backslash makes ordinary ones. Before any other the backslash is text. */
const ESCAPABLE = new Set("{}|$%#_");
const NAME = /[A-Za-z_-][\w-]*/y;
const WEIGHT = /\s*(\d+(?:\.\d*)?|\.\d+)::/y;
/** `2$$`, `1-2$$`, `-2$$`, `1-$$`, each with a separator and `$$` after it or not. */
const BOUNDS = /\s*(?:(\d{1,9})(-)?(\d{1,9})?|(-)(\d{1,9}))\$\$(?:([^${}]+)\$\$)?/y;
/** A wildcard's name before its parameters or its end; variables in it are read on their own. */
const PATH = /(?:(?!__)[\w\-./\\*?[\]! \p{L}\p{N}\p{M}])+/uy;
/** The longest parameters of a wildcard, in UTF-16 units. */
const MOST_PARAMETERS = 1000;
const WHITE = /\s*/y;

/** Where a template came from, for its messages. */
export interface TemplateSource {
  /** The wildcard file. */
  readonly file?: string;
  /**
   * The line of the file at which the text begins.
   *
   * @default {1}
   */
  readonly line?: number;
}

/**
 * Reads a prompt template in the syntax of the Python package dynamicprompts (its SYNTAX.md):
 * choices `{a|b}`, weights `{2::a|b}`, several options `{2$$ and $$a|b|c}`, wildcards `__colour__`
 * and `__colour(x=1)__`, variables `${x=a}` and `${x}`, wrappers `%{… ...$$…}`, comments after `#`.
 *
 * Beside that syntax a backslash makes `{`, `}`, `|`, `$`, `%`, `#` and `_` ordinary characters, and
 * a `$`, `%` or `__` that begins nothing is text. A `#` begins a comment where it is the first in its
 * line or stands between white space, so that neither `&#39;` nor `#ff0000` is one.
 *
 * The time it takes grows with the length of the text alone.
 *
 * @throws {TemplateError} With the place of what is wrong.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const { kind } = parseTemplate("{red|blue} hair");
 * assert.equal(kind, "sequence");
 * assert.throws(() => parseTemplate("a {b|c"), /Line 1, column 3 .*never closed/);
 * ```
 */
export function parseTemplate(text: string, source: TemplateSource = {}): TemplateNode {
  return new Reader(text, source).all();
}

/** Where a list of nodes ends; `""` is the end of the text. */
type End = "" | "|" | "}" | "$$" | "__";

class Reader {
  readonly #text: string;
  readonly #source: TemplateSource;
  #at = 0;
  #depth = 0;
  /** From where on `__` is known to close nothing. */
  #unpairedFrom = Infinity;

  constructor(text: string, source: TemplateSource) {
    this.#text = text;
    this.#source = source;
    if (text.length > MAX_PROMPT_LENGTH) {
      throw new TemplateError(
        this.#place(MAX_PROMPT_LENGTH)(),
        TEXTS.tooLong(text.length, MAX_PROMPT_LENGTH),
      );
    }
  }

  all(): TemplateNode {
    return this.#sequence([""]);
  }

  /** Nodes up to one of the ends, which is left where it is. */
  #sequence(ends: readonly End[]): TemplateNode {
    const nodes: TemplateNode[] = [];
    let literal = "";
    const flush = () => {
      if (literal !== "") nodes.push({ kind: "text", text: literal });
      literal = "";
    };
    while (this.#at < this.#text.length) {
      if (ends.some((end) => end !== "" && this.#startsWith(end))) break;
      const character = this.#text[this.#at]!;
      if (character === "\\" && ESCAPABLE.has(this.#text[this.#at + 1] ?? "")) {
        literal += this.#text[this.#at + 1];
        this.#at += 2;
      } else if (character === "#" && this.#beginsComment()) {
        this.#skipComment();
      } else {
        const node = this.#special();
        if (node === undefined) {
          literal += character;
          this.#at++;
        } else {
          flush();
          nodes.push(node);
        }
      }
    }
    flush();
    return nodes.length === 1 ? nodes[0]! : { kind: "sequence", nodes };
  }

  #special(): TemplateNode | undefined {
    if (this.#startsWith("${")) return this.#nested(() => this.#variable());
    if (this.#startsWith("%{")) return this.#nested(() => this.#wrap());
    if (this.#startsWith("{")) return this.#nested(() => this.#choice());
    if (this.#startsWith("__")) return this.#wildcard();
    return undefined;
  }

  #nested<T>(read: () => T): T {
    const begin = this.#at;
    if (++this.#depth > MOST_DEPTH) {
      throw new TemplateError(this.#place(begin)(), TEXTS.tooDeep(MOST_DEPTH));
    }
    const node = read();
    this.#depth--;
    return node;
  }

  #choice(): TemplateNode {
    const begin = this.#at++;
    this.#match(WHITE);
    const method = this.#method();
    const bounds = this.#match(BOUNDS);
    const options: { weight: number; node: TemplateNode }[] = [];
    do {
      this.#skipComments();
      const weight = this.#match(WEIGHT);
      const node = this.#sequence(["|", "}"]);
      options.push({ weight: weight === null ? 1 : Number(weight[1]), node });
    } while (this.#take("|"));
    this.#close("}", begin, "{");
    const place = this.#place(begin);
    if (options.every(({ weight }) => weight === 0)) {
      throw new TemplateError(place(), TEXTS.weights);
    }
    const [least, most] = boundsOf(bounds, options.length);
    return {
      kind: "choice",
      options,
      least,
      most,
      separator: bounds?.[6] ?? ",",
      ...(method === undefined ? {} : { method }),
      place,
    };
  }

  #variable(): TemplateNode {
    const begin = this.#at;
    this.#at += "${".length;
    this.#match(WHITE);
    const name = this.#match(NAME)?.[0];
    if (name === undefined) throw new TemplateError(this.#place(begin)(), TEXTS.variableName);
    this.#match(WHITE);
    const place = this.#place(begin);
    const keep = this.#startsWith("?=") && this.#take("?");
    if (this.#take("=")) {
      const immediate = this.#take("!");
      this.#match(WHITE);
      const value = this.#sequence(["}"]);
      this.#close("}", begin, "${");
      return { kind: "assignment", name, value, immediate, keep };
    }
    if (this.#take(":")) {
      this.#match(WHITE);
      const fallback = this.#sequence(["}"]);
      this.#close("}", begin, "${");
      return { kind: "variable", name, fallback, place };
    }
    if (this.#at >= this.#text.length) this.#close("}", begin, "${");
    if (!this.#take("}")) {
      throw new TemplateError(this.#place(this.#at)(), TEXTS.variableEnd(name));
    }
    return { kind: "variable", name, place };
  }

  #wrap(): TemplateNode {
    const begin = this.#at;
    this.#at += "%{".length;
    this.#match(WHITE);
    const wrapper = this.#sequence(["$$", "}"]);
    if (!this.#take("$$")) {
      if (this.#at >= this.#text.length) this.#close("}", begin, "%{");
      throw new TemplateError(this.#place(begin)(), TEXTS.wrapEnd);
    }
    this.#match(WHITE);
    const inner = this.#sequence(["}"]);
    this.#close("}", begin, "%{");
    return { kind: "wrap", wrapper, inner };
  }

  /** `__` that no name and no other `__` follow is text, as in `>__<`. */
  #wildcard(): TemplateNode | undefined {
    const begin = this.#at;
    if (begin >= this.#unpairedFrom) return undefined;
    this.#at += "__".length;
    if (this.#text.indexOf("__", this.#at) < 0) {
      this.#unpairedFrom = begin;
      this.#at = begin;
      return undefined;
    }
    const method = this.#method();
    const nodes: TemplateNode[] = [];
    let variables: Record<string, TemplateNode> = {};
    while (this.#at < this.#text.length && !this.#startsWith("__")) {
      if (this.#startsWith("${")) {
        nodes.push(nameWhereUnset(this.#nested(() => this.#variable())));
        continue;
      }
      const path = this.#match(PATH)?.[0];
      if (path !== undefined) {
        nodes.push({ kind: "text", text: path });
        continue;
      }
      const parameters = this.#parameters();
      if (parameters === undefined) break;
      variables = parameters;
      break;
    }
    if (nodes.length === 0 || !this.#take("__")) {
      this.#at = begin;
      return undefined;
    }
    return {
      kind: "wildcard",
      path: nodes.length === 1 ? nodes[0]! : { kind: "sequence", nodes },
      variables,
      ...(method === undefined ? {} : { method }),
      place: this.#place(begin),
    };
  }

  /** `(season=winter, kind=coat)`; the values are templates of their own. */
  #parameters(): Record<string, TemplateNode> | undefined {
    if (this.#text[this.#at] !== "(") return undefined;
    const length = this.#text.slice(this.#at, this.#at + MOST_PARAMETERS).indexOf(")");
    if (length < 0) return undefined;
    const end = this.#at + length;
    const { line } = this.#place(this.#at)();
    const { file } = this.#source;
    const values: Record<string, TemplateNode> = {};
    for (const pair of this.#text.slice(this.#at + 1, end).split(",")) {
      const [name = "", ...value] = pair.split("=");
      const source = { ...(file === undefined ? {} : { file }), line };
      values[name.trim()] = parseTemplate(value.join("=").trim(), source);
    }
    this.#at = end + 1;
    return values;
  }

  #method(): ChoiceMethod | undefined {
    const method = METHODS[this.#text[this.#at] ?? ""];
    if (method !== undefined) this.#at++;
    return method;
  }

  /** White space and comments before an option's weight. */
  #skipComments(): void {
    for (;;) {
      this.#match(WHITE);
      if (this.#text[this.#at] !== "#" || !this.#beginsComment()) return;
      this.#skipComment();
    }
  }

  #skipComment(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  /** First in its line, or between white space: `&#39;` and ` #ff0000` are none. */
  #beginsComment(): boolean {
    const before = this.#text.slice(this.#text.lastIndexOf("\n", this.#at - 1) + 1, this.#at);
    if (/^\s*$/.test(before)) return true;
    return /\s$/.test(before) && /^(\s|$)/.test(this.#text.slice(this.#at + 1, this.#at + 2));
  }

  #startsWith(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    if (!this.#startsWith(text)) return false;
    this.#at += text.length;
    return true;
  }

  #close(closing: string, begin: number, opening: string): void {
    if (!this.#take(closing)) {
      throw new TemplateError(this.#place(begin)(), TEXTS.unclosed(opening, closing));
    }
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }

  /** Worked out when it is asked for, so that reading stays linear. */
  #place(offset: number): () => TemplatePlace {
    return () => {
      const { file, line = 1 } = this.#source;
      const before = this.#text.slice(0, offset).split("\n");
      return {
        ...(file === undefined ? {} : { file }),
        line: line + before.length - 1,
        column: [...before.at(-1)!].length + 1,
      };
    };
  }
}

function boundsOf(
  match: RegExpExecArray | null,
  options: number,
): readonly [least: number, most: number] {
  if (match === null) return [1, 1];
  const [, first, dash, last, , onlyLast] = match;
  const least = Number(first ?? 1);
  const most = dash === undefined && onlyLast === undefined
    ? least
    : Number(onlyLast ?? last ?? options);
  return least < most ? [least, most] : [most, least];
}

/** In a wildcard's name a variable without a value stands for its own name, as in the package. */
function nameWhereUnset(node: TemplateNode): TemplateNode {
  if (node.kind !== "variable" || node.fallback !== undefined) return node;
  return { ...node, fallback: { kind: "text", text: node.name } };
}
