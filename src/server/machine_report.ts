import { diagnose, gatherFacts } from "../doctor/mod.ts";
import type { Language } from "../language.ts";
import type { MachineReport } from "./types.ts";

/** How long a report is believed. */
const FRESH_MILLISECONDS = 30_000;

/**
 * What doctor says of this machine, at most twice a minute.
 *
 * @param model The folder of the model.
 */
export function machineReports(model: string): (language: Language) => Promise<MachineReport> {
  const known = new Map<
    Language,
    { readonly time: number; readonly report: Promise<MachineReport> }
  >();
  return async (language) => {
    const before = known.get(language);
    if (before !== undefined && Date.now() - before.time < FRESH_MILLISECONDS) {
      return { ...await before.report, memory: memory() };
    }
    const report = examine(model, language);
    known.set(language, { time: Date.now(), report });
    return await report;
  };
}

async function examine(model: string, language: Language): Promise<MachineReport> {
  const facts = await gatherFacts({ model, language });
  const { findings } = diagnose(facts, language);
  return {
    memory: memory(),
    adapters: (facts.model.adapters ?? []).map(({ path: _, ...adapter }) => adapter),
    findings: findings.map(({ area, code, severity, message, fix }) => ({
      area,
      code,
      severity,
      message,
      ...(fix === undefined ? {} : { fix }),
    })),
  };
}

function memory(): MachineReport["memory"] {
  const { total, available } = Deno.systemMemoryInfo();
  return { total, free: available };
}
