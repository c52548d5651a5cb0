import { NewBieError } from "../errors.ts";
import type { Texts } from "../language.ts";
import type { JobPicture } from "./job.ts";

/** Which pictures stand on a sheet. */
export interface SheetRequest {
  /** As `--grid` reads it. */
  readonly grid: string;
  /** What the grid begins with, where that is a template. */
  readonly template?: string | undefined;
  /** At least one. What is missing stays white. */
  readonly pictures: readonly Pick<JobPicture, "index" | "path" | "width" | "height">[];
}

/** A sheet as a file. */
export interface MadeSheet {
  readonly file: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
}

/** What the thread says. */
export type SheetAnswer = { readonly made: MadeSheet } | { readonly problem: Texts<string> };

/**
 * Puts saved pictures onto a sheet, on a thread of its own.
 *
 * @throws {NewBieError} When a picture is gone, or cannot be read.
 */
export async function makeSheet(request: SheetRequest): Promise<MadeSheet> {
  const worker = new Worker(new URL("./_sheet_worker.ts", import.meta.url), { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<MadeSheet>();
  worker.onmessage = ({ data }: MessageEvent<SheetAnswer>) => {
    if ("made" in data) resolve(data.made);
    else reject(new NewBieError(data.problem));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    reject(
      new NewBieError({
        en: `The sheet could not be made: ${event.message}`,
        zh: `无法生成总览图：${event.message}`,
      }),
    );
  };
  try {
    worker.postMessage(request);
    return await promise;
  } finally {
    worker.terminate();
  }
}
