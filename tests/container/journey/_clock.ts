/** The machine's clock, moved. */
import { output } from "./_engine.ts";

const DAY_MILLISECONDS = 86_400_000;

/** The machine's clock a day ahead, where that was asked for. */
export async function movedClock(): Promise<AsyncDisposable> {
  if (!Deno.args.includes("--move-clock")) {
    return { [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const set = (milliseconds: number) => output("date", "--set", `@${milliseconds / 1000}`);
  const [before, begun] = [Date.now(), performance.now()];
  try {
    await set(before + DAY_MILLISECONDS);
  } catch (error) {
    console.log(`  the clock cannot be moved here: ${(error as Error).message.trim()}`);
    return { [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const putBack = async () => {
    Deno.removeSignalListener("SIGINT", putBack);
    Deno.removeSignalListener("SIGTERM", putBack);
    // What has passed meanwhile, by a clock that nobody sets.
    await set(before + (performance.now() - begun));
  };
  Deno.addSignalListener("SIGINT", putBack);
  Deno.addSignalListener("SIGTERM", putBack);
  return { [Symbol.asyncDispose]: putBack };
}
