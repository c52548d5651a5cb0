import { RequestError } from "../errors.ts";
import type { Texts } from "../language.ts";
import type { TemplatePlace } from "./types.ts";

/** A template, or a wildcard that it uses, cannot be understood or has no end. */
export class TemplateError extends RequestError implements TemplatePlace {
  override name = "TemplateError";
  declare readonly file?: string;
  readonly line: number;
  readonly column: number;

  /**
   * @param place Where it is wrong.
   * @param problem What is wrong and what to do, as sentences.
   */
  constructor(place: TemplatePlace, problem: Texts<string>) {
    const { file, line, column } = place;
    const where = file === undefined
      ? {
        en: `Line ${line}, column ${column} of the prompt`,
        zh: `提示词第 ${line} 行第 ${column} 列`,
      }
      : {
        en: `${file}, line ${line}, column ${column}`,
        zh: `${file} 第 ${line} 行第 ${column} 列`,
      };
    super({ en: `${where.en}: ${problem.en}`, zh: `${where.zh}：${problem.zh}` });
    if (file !== undefined) this.file = file;
    this.line = line;
    this.column = column;
  }
}
