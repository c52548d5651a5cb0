import { discardUnfinished } from "../../src/unfinished.ts";
import { onSignals } from "./signals.ts";
import { inLanguage } from "./task.ts";
import { tell } from "./print.ts";

const text = inLanguage({
  en: { cancelled: "Cancelled; nothing is left of it." },
  zh: { cancelled: "已取消，没有留下任何内容。" },
});

/** What a shell expects of a process that a signal ended: 128 and the signal's number. */
const EXIT_CODES: Partial<Readonly<Record<Deno.Signal, number>>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
};

/**
 * Does work of minutes that writes large files. Ctrl-C, or another signal that asks for the end, ends
 * the process; what is half written is removed before.
 *
 * @param clear Takes a line of progress away.
 */
export async function tidied<T>(work: () => Promise<T>, clear: () => void): Promise<T> {
  const release = onSignals(["SIGINT", "SIGTERM", "SIGHUP"], (name) => {
    clear();
    discardUnfinished();
    // A terminal that was closed takes no words.
    if (name !== "SIGHUP") tell(text.cancelled);
    Deno.exit(EXIT_CODES[name]);
  });
  try {
    return await work();
  } finally {
    release();
    clear();
  }
}
