/** Where measurements are kept. */
import { writeFileAtomically } from "../../src/files.ts";

/** The folder of all that was measured. */
export const RESULTS = "bench/results";

/** Writes a measurement as JSON for programs and as a table for people, under one name. */
export async function record(name: string, result: unknown, table: string): Promise<void> {
  const encode = (text: string) => new TextEncoder().encode(text);
  const json = JSON.stringify(result, null, 2) + "\n";
  await writeFileAtomically(`${RESULTS}/${name}.json`, encode(json));
  await writeFileAtomically(`${RESULTS}/${name}.md`, encode(table));
}

/** The date under which a measurement is recorded, such as `2026-11-28`. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}
