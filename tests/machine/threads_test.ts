/** Two sockets or one, with and without two threads a core, as Linux lists them. */
import assert from "node:assert/strict";
import { usableThreads } from "../../src/machine/threads.ts";
import { fakeHost } from "./_fake_host.ts";

/** @param cores Of each processor in turn: its socket and its core. */
function machine(cores: readonly (readonly [socket: number, core: number])[], allowed: string) {
  const processors = cores.map(([socket, core], number) =>
    `processor\t: ${number}\nmodel name\t: x\nphysical id\t: ${socket}\ncore id\t\t: ${core}\n`
  );
  return fakeHost({
    files: {
      "/proc/cpuinfo": processors.join("\n"),
      "/proc/self/status": `Name:\tdeno\nCpus_allowed_list:\t${allowed}\n`,
    },
  });
}

/** Four cores of two threads each; processor 4 is the other thread of core 0. */
const FOUR_CORES = [0, 1, 2, 3, 0, 1, 2, 3].map((core) => [0, core] as const);

Deno.test("a core with two threads counts once", async () => {
  assert.equal(await usableThreads(machine(FOUR_CORES, "0-7"), 8), 4);
});

Deno.test("cores that the process may not use do not count", async () => {
  assert.equal(await usableThreads(machine(FOUR_CORES, "2"), 1), 1);
  assert.equal(await usableThreads(machine(FOUR_CORES, "0,4"), 2), 1, "one core, both threads");
  assert.equal(await usableThreads(machine(FOUR_CORES, "0-1"), 2), 2, "two cores, a thread each");
});

Deno.test("a quota counts, and the same core number of another socket is another core", async () => {
  const two = [[0, 0], [0, 1], [1, 0], [1, 1]] as const;
  assert.equal(await usableThreads(machine(two, "0-3"), 4), 4);
  assert.equal(await usableThreads(machine(two, "0-3"), 3), 3);
});

Deno.test("where nothing is told of cores, the system's number is taken", async () => {
  assert.equal(await usableThreads(fakeHost(), 6), 6);
  const arm = "processor\t: 0\nCPU part\t: 0xd40\n\nprocessor\t: 1\nCPU part\t: 0xd40\n";
  assert.equal(await usableThreads(fakeHost({ files: { "/proc/cpuinfo": arm } }), 2), 2);
});
