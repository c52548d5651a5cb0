import { SafetensorsError } from "./safetensors_error.ts";

/** A file of weights that is no longer what it was when it was opened; opened anew, it can be used. */
export class ChangedFileError extends SafetensorsError {
  override name = "ChangedFileError";

  /** @param file The file, as the caller named it. */
  constructor(file: string) {
    super({
      en: `${file} was changed or removed after it was opened. Load the pipeline again.`,
      zh: `${file} 在打开之后被更改或删除。请重新加载流水线。`,
    }, { file });
  }
}
