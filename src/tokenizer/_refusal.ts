import type { Texts } from "../language.ts";

/** A part of a tokenizer.json that cannot be run exactly, and so is not run at all. */
export class Refusal extends Error {
  readonly texts: Texts<string>;

  constructor(en: string, zh: string, options?: ErrorOptions) {
    super(en, options);
    this.texts = { en, zh };
  }
}

/** Refuses a stage by its name. */
export const unknownStage = (stage: Texts<string>, type: unknown): Refusal =>
  new Refusal(
    `${stage.en} ${JSON.stringify(type)} is not known`,
    `${stage.zh} ${JSON.stringify(type)} 未知`,
  );
