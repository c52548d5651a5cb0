/**
 * A bound on work that hostile texts could make endless: on the processor's time, which other work of the
 * machine does not add to.
 */
import assert from "node:assert/strict";
import process from "node:process";

/** Many times what is needed, on any machine; time that grows with the square of a text takes minutes. */
const MOST_SECONDS = 20;

/** @param what Names the work where it takes too long. */
export function assertQuick(what: string, work: () => void): void {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  const seconds = (user + system) / 1e6;
  assert(seconds < MOST_SECONDS, `${what} took ${seconds} s of the processor's time`);
}
