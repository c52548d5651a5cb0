import type { AskedSettings } from "../settings/mod.ts";

/** The programs whose notes in pictures are understood, and those that write the same. */
export type ForeignProgram =
  | "AUTOMATIC1111"
  | "ComfyUI"
  | "Fooocus"
  | "InvokeAI"
  | "NovelAI"
  | "SwarmUI";

/** Something that a picture says and that this toolkit cannot take over. */
export interface LeftOver {
  /** In the words of the program that wrote it. */
  readonly name: string;
  readonly value: string;
}

/** An adapter that another program names. */
export interface ForeignLora {
  /** As that program calls it: a name, or a path below its folder, with or without the ending. */
  readonly name: string;
  /** Absent where it stands in the prompt. */
  readonly weight?: number;
  readonly textWeight?: number;
  /** The first digits of a SHA-256: of its file, or in 12 digits of its file without the header. */
  readonly hash?: string;
}

/** What another program wrote into its picture, as far as this toolkit can use it. */
export interface ForeignRecipe {
  readonly program: ForeignProgram;
  /** What is absent was not said, or is in `left`. */
  readonly settings: AskedSettings;
  /** Adapters that it names, besides those in its prompts; they stand in `left`, too. */
  readonly loras?: readonly ForeignLora[];
  /** What could not be taken over, such as the model, adapters, and samplers that are not known. */
  readonly left: readonly LeftOver[];
}
