/** Prompts that are drawn anew for each picture. */
import { isFolder } from "../files.ts";
import {
  expandCombinations,
  expandTemplate,
  isTemplate,
  loadWildcards,
  type Wildcards,
} from "../templates/mod.ts";

/** Where `__name__` is looked up, unless somebody says another folder. */
export const WILDCARD_FOLDER = "wildcards";

/** A template with the wildcards that it may use. */
export class PromptTemplate {
  readonly text: string;
  readonly #wildcards: Wildcards | undefined;

  private constructor(text: string, wildcards: Wildcards | undefined) {
    this.text = text;
    this.#wildcards = wildcards;
  }

  /**
   * A prompt as a template; undefined where it has nothing of the syntax.
   *
   * @param folder The wildcards; the usual folder may be missing.
   * @throws {RequestError} When a folder that is named is missing, or a file of the wildcards is
   *   damaged.
   */
  static async of(prompt: string, folder?: string): Promise<PromptTemplate | undefined> {
    if (!isTemplate(prompt)) return undefined;
    const isThere = folder !== undefined || await isFolder(WILDCARD_FOLDER);
    return new PromptTemplate(
      prompt,
      isThere ? await loadWildcards(folder ?? WILDCARD_FOLDER) : undefined,
    );
  }

  /** Another text with the same wildcards. */
  with(text: string): PromptTemplate {
    return new PromptTemplate(text, this.#wildcards);
  }

  /**
   * The prompt of one picture.
   *
   * @param seed The picture's own: it draws the same prompt again.
   * @param index Which picture of its run.
   * @throws {TemplateError} When the template is wrong.
   */
  draw(seed: number | bigint, index: number): string {
    return expandTemplate(this.text, { seed, index, ...this.#options });
  }

  /**
   * All prompts that the template can make.
   *
   * @param limit The first so many.
   * @throws {TemplateError} When the template is wrong, or has too many and no limit is given.
   */
  combinations(seed: number | bigint, limit: number | undefined): readonly string[] {
    return expandCombinations(this.text, {
      seed,
      ...(limit === undefined ? {} : { limit }),
      ...this.#options,
    });
  }

  get #options() {
    return this.#wildcards === undefined ? {} : { wildcards: this.#wildcards };
  }
}
