/** A place in a prompt. */
export interface PromptPosition {
  /** Counts from 1. */
  readonly line: number;
  /** Characters from the start of the line, counting from 1; a surrogate pair is one. */
  readonly column: number;
  /** UTF-16 units from the start of the prompt, counting from 0. */
  readonly offset: number;
}

/** One element of an XML prompt. Its position is that of its opening tag. */
export interface PromptNode extends PromptPosition {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** The elements inside, in order. */
  readonly children: readonly PromptNode[];
  /** Its own characters without its children's, entities resolved, trimmed at both ends. */
  readonly text: string;
  /** Text and elements in the order in which they stand; text as typed, entities resolved. */
  readonly content: readonly (string | PromptNode)[];
  /** UTF-16 units from its opening tag to the end of its closing tag. */
  readonly length: number;
}

/** A prompt as understood: a forest of elements, or text that is no XML. */
export type Prompt =
  | { readonly kind: "xml"; readonly roots: readonly PromptNode[] }
  | { readonly kind: "text"; readonly text: string };

/** The longest prompt, in UTF-16 units: many times what the encoders read. */
export const MAX_PROMPT_LENGTH = 1 << 16;

/** The two kinds of prompts that the model was trained on. */
export type PromptKind = Prompt["kind"];

/** A change of a text. */
export interface PromptEdit {
  /** UTF-16 units from the start of the prompt. */
  readonly offset: number;
  /** How many of them are replaced; 0 to insert. */
  readonly length: number;
  readonly text: string;
}

/** Something in a prompt that is wrong, or probably not meant. */
export interface PromptDiagnostic extends PromptPosition {
  /** Names the kind of fault, such as `"unclosed-tag"`; the same in every language. */
  readonly code: string;
  /** A prompt with errors makes no picture; warnings do not stop anything. */
  readonly severity: "error" | "warning";
  readonly message: string;
  /** What to do about it. */
  readonly suggestion?: string;
  /** UTF-16 units from `offset` that it is about. */
  readonly length: number;
  /** The changes that do what the suggestion says, where it leaves no choice; only on request. */
  readonly fix?: readonly PromptEdit[];
  /** How many more of its kind there are; only the first ones are listed. */
  readonly more?: number;
}

/** A text encoder, as far as a prompt's length matters to it. */
export interface PromptEncoder {
  /** What messages call it. */
  readonly name: string;
  /** How many tokens it reads, special ones included; what comes after them falls off. */
  readonly maxTokens: number;
  /** The text before a prompt of each kind; absent where there is none. */
  readonly systemPrompts?: Readonly<Record<PromptKind, string>>;
  /** How many tokens a text has, special ones included. */
  countTokens(text: string): number;
}
