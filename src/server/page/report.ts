import { ServerError } from "./api.ts";
import { getState, notify } from "./store.ts";
import { textsOf } from "./texts.ts";

/** Tells of an error; a server that is gone is told of by the banner. */
export function report(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  const text = error instanceof ServerError ? error.message : textsOf(getState().language).offline;
  notify({ text, kind: "error" });
}
