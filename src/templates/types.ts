/**
 * The nodes of a prompt template, as {@linkcode parseTemplate} makes them.
 *
 * @module
 */

/** A place in a template or in a wildcard file. */
export interface TemplatePlace {
  /** The wildcard file; absent in the template itself. */
  readonly file?: string;
  /** Counts from 1. */
  readonly line: number;
  /** Characters from the start of the line, counting from 1. */
  readonly column: number;
}

/**
 * How a choice is made: one option at random, all of them one after the other, or the next one each
 * time.
 */
export type ChoiceMethod = "random" | "combinatorial" | "cyclical";

/** Text as it stands. */
export interface TextNode {
  readonly kind: "text";
  readonly text: string;
}

/** What stands one after the other. */
export interface SequenceNode {
  readonly kind: "sequence";
  readonly nodes: readonly TemplateNode[];
}

/** `{a|b}`, `{0.5::a|b}`, `{2$$ and $$a|b|c}`. */
export interface ChoiceNode {
  readonly kind: "choice";
  readonly options: readonly { readonly weight: number; readonly node: TemplateNode }[];
  /** How many options are taken. */
  readonly least: number;
  readonly most: number;
  readonly separator: string;
  readonly method?: ChoiceMethod;
  readonly place: () => TemplatePlace;
}

/** `__colours__`. */
export interface WildcardNode {
  readonly kind: "wildcard";
  /** The name, which may hold variables. */
  readonly path: TemplateNode;
  readonly method?: ChoiceMethod;
  /** `__clothes(season=winter)__`: variables for the values of the wildcard. */
  readonly variables: Readonly<Record<string, TemplateNode>>;
  readonly place: () => TemplatePlace;
}

/** `${x=…}`. */
export interface AssignmentNode {
  readonly kind: "assignment";
  readonly name: string;
  readonly value: TemplateNode;
  /** `${x=!…}`: chosen once; otherwise anew wherever the variable stands. */
  readonly immediate: boolean;
  /** `${x?=…}`: only where the variable has no value yet. */
  readonly keep: boolean;
}

/** `${x}`, `${x:default}`. */
export interface VariableNode {
  readonly kind: "variable";
  readonly name: string;
  readonly fallback?: TemplateNode;
  readonly place: () => TemplatePlace;
}

/** `%{before … after$$inner}`. */
export interface WrapNode {
  readonly kind: "wrap";
  readonly wrapper: TemplateNode;
  readonly inner: TemplateNode;
}

/** Any part of a template. */
export type TemplateNode =
  | TextNode
  | SequenceNode
  | ChoiceNode
  | WildcardNode
  | AssignmentNode
  | VariableNode
  | WrapNode;

/** A value of a wildcard. */
export interface WildcardValue {
  readonly text: string;
  readonly weight: number;
  /** Where it stands, for messages. */
  readonly file: string;
  readonly line: number;
}

/** What `__name__` can stand for. */
export interface Wildcards {
  /**
   * The values of all wildcards that a name or pattern (`colours*`, `artists/**`) matches, sorted and
   * each once; empty where there is none.
   */
  values(pattern: string): readonly WildcardValue[];
  /** All names. */
  readonly names: readonly string[];
  /** The folder that they were read from. */
  readonly folder: string;
}
