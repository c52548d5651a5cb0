/** One element of an XML prompt. Positions count from 1 and are those of its opening tag. */
export interface PromptNode {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** The elements inside, in order. */
  readonly children: readonly PromptNode[];
  /** Its own characters without its children's, entities resolved, trimmed at both ends. */
  readonly text: string;
  /** Text and elements in the order in which they stand; text as typed, entities resolved. */
  readonly content: readonly (string | PromptNode)[];
  readonly line: number;
  readonly column: number;
}

/** A prompt as understood: a forest of elements, or text that is no XML. */
export type Prompt =
  | { readonly kind: "xml"; readonly roots: readonly PromptNode[] }
  | { readonly kind: "text"; readonly text: string };

/** The two ways in which the model was trained to be spoken to. */
export type PromptKind = Prompt["kind"];
