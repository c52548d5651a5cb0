/** The report on machines that nobody has at hand, in this process's language. */
import assert from "node:assert/strict";
import { diagnose } from "../../src/doctor/mod.ts";
import { columnsOf } from "../../tasks/cli/columns.ts";
import { report } from "../../tasks/doctor/report.ts";
import { type Circumstances, factsOf, PUBLISHED } from "../doctor/_machines.ts";
import { driverFiles, GPU_8, H100, nvidiaSmi, PCI_CARD, UBUNTU } from "../machine/_fake_host.ts";

const MACHINES: Readonly<Record<string, Circumstances>> = {
  "a machine with nothing": { files: UBUNTU },
  "a card without a driver": { files: { ...UBUNTU, ...PCI_CARD } },
  "two cards, and nothing of CUDA": {
    files: { ...UBUNTU, ...PCI_CARD, ...driverFiles("570.86.15") },
    commands: nvidiaSmi("570.86.15", "12.8", [GPU_8, H100]),
    env: { CUDA_DEVICE_ORDER: "PCI_BUS_ID" },
    model: PUBLISHED,
  },
};

for (const [name, machine] of Object.entries(MACHINES)) {
  Deno.test(`the report on ${name} fits 80 columns, and holds every finding`, async () => {
    const facts = await factsOf(machine);
    const diagnosis = diagnose(facts);
    const text = report(facts, diagnosis, { color: false }).join("\n");
    const lines = text.split("\n");
    let inCommand = false;
    for (const line of lines) {
      inCommand = line.startsWith("  $ ") ||
        inCommand && lines.includes(line) && /^ {4}/.test(line);
      if (!inCommand) assert(columnsOf(line) <= 80, line);
    }
    // Line breaks are the report's own.
    const flat = text.replace(/\s+/g, "");
    for (const { message } of diagnosis.findings) {
      assert(flat.includes(message.replace(/\s+/g, "")), message);
    }
  });
}

Deno.test("a command that is broken into lines is still the command", async () => {
  const facts = await factsOf(MACHINES["two cards, and nothing of CUDA"]!);
  const diagnosis = diagnose(facts);
  const joined = report(facts, diagnosis, { color: false }).join("\n").replaceAll(/ \\\n +/g, " ");
  const fixes = diagnosis.findings.flatMap(({ fix }) => fix === undefined ? [] : [fix]);
  assert(fixes.length >= 4);
  for (const fix of fixes) assert(joined.includes(`  $ ${fix}`), fix);
});

Deno.test("colours only where they are asked for, and nothing else differs", async () => {
  const facts = await factsOf({ files: UBUNTU });
  const plain = report(facts, diagnose(facts), { color: false }).join("\n");
  const colored = report(facts, diagnose(facts), { color: true }).join("\n");
  assert(!plain.includes("\x1b"));
  assert(colored.includes("\x1b[32m✓\x1b[0m"));
  // deno-lint-ignore no-control-regex
  assert.equal(colored.replace(/\x1b\[\d+m/g, ""), plain);
});
