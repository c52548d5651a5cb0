import type { Dice } from "./dice.ts";

/**
 * Makes one input and gives it to its reader.
 *
 * @returns What is wrong with what became of it; undefined when all is well. Readers may throw what
 *   is meant for people; anything else that is thrown is wrong.
 */
export type FuzzCase = (dice: Dice) => void | string | Promise<string | undefined | void>;

/** A kind of input: something that comes from elsewhere, and its reader. */
export interface FuzzKind {
  /** Gets ready for any number of cases, in a folder that is removed afterwards. */
  readonly open: (folder: string) => FuzzCase | Promise<FuzzCase>;
}
