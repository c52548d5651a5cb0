/** Expected values: what the files say, read by a person. */
import assert from "node:assert/strict";
import { readMachine } from "../../src/machine/machine.ts";
import { fakeHost, UBUNTU } from "./_fake_host.ts";

const GIB = 2 ** 30;

Deno.test("a plain Linux machine is described from /proc and /etc", async () => {
  const machine = await readMachine(fakeHost({ files: UBUNTU }));
  assert.equal(machine.name, "Ubuntu 24.04.3 LTS");
  assert.deepEqual(machine.distributions, ["ubuntu", "debian"]);
  assert.equal(machine.cpu, "AMD Ryzen 7");
  assert.equal(machine.usableCores, 2);
  assert.equal(machine.memoryTotal, 32 * GIB);
  assert.equal(machine.memoryAvailable, 30 * GIB);
  assert.equal(machine.memoryLimit, undefined);
  assert.equal(machine.container, undefined);
  assert.equal(machine.wsl, false);
  assert.equal(machine.glibc, "2.39");
});

Deno.test("a container's limits of version 2 count, less the cache that can be dropped", async () => {
  const machine = await readMachine(fakeHost({
    files: {
      ...UBUNTU,
      "/.dockerenv": "",
      "/proc/self/cgroup": "0::/\n",
      "/sys/fs/cgroup/memory.max": `${4 * GIB}\n`,
      "/sys/fs/cgroup/memory.current": `${2 * GIB}\n`,
      "/sys/fs/cgroup/memory.stat": `anon 1\ninactive_file ${GIB}\n`,
      "/sys/fs/cgroup/cpu.max": "150000 100000\n",
      "/proc/cpuinfo": "processor\t: 0\n".repeat(16),
      "/proc/self/status": "Cpus_allowed_list:\t0-3,8-11\n",
    },
  }));
  assert.equal(machine.container, "docker");
  assert.equal(machine.memoryLimit, 4 * GIB);
  assert.equal(machine.memoryAvailable, 3 * GIB);
  assert.equal(machine.cores, 16);
  assert.equal(machine.usableCores, 2);
});

Deno.test("limits of version 1 count, those of the groups above too", async () => {
  const machine = await readMachine(fakeHost({
    files: {
      ...UBUNTU,
      "/proc/self/cgroup": "5:memory:/slurm/job_7\n3:cpu,cpuacct:/slurm/job_7\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "/sys/fs/cgroup/memory/slurm/memory.limit_in_bytes": `${8 * GIB}\n`,
      "/sys/fs/cgroup/memory/slurm/memory.usage_in_bytes": `${GIB}\n`,
      "/sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes": `${12 * GIB}\n`,
      "/sys/fs/cgroup/cpu/slurm/job_7/cpu.cfs_quota_us": "100000\n",
      "/sys/fs/cgroup/cpu/slurm/job_7/cpu.cfs_period_us": "100000\n",
    },
  }));
  assert.equal(machine.memoryLimit, 8 * GIB);
  assert.equal(machine.memoryAvailable, 7 * GIB);
  assert.equal(machine.usableCores, 1);
});

Deno.test("no limit is no limit", async () => {
  const machine = await readMachine(fakeHost({
    files: {
      ...UBUNTU,
      "/proc/self/cgroup": "0::/user.slice\n",
      "/sys/fs/cgroup/user.slice/memory.max": "max\n",
      "/sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
    },
  }));
  assert.equal(machine.memoryLimit, undefined);
  assert.equal(machine.usableCores, 2);
});

Deno.test("WSL, Podman and Kubernetes are told apart", async () => {
  const release = "5.15.153.1-microsoft-standard-WSL2";
  assert.equal((await readMachine(fakeHost({ release }))).wsl, true);
  const podman = await readMachine(fakeHost({ files: { "/run/.containerenv": "" } }));
  assert.equal(podman.container, "podman");
  const token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
  assert.equal((await readMachine(fakeHost({ files: { [token]: "" } }))).container, "kubernetes");
});

Deno.test("a machine without /proc is described by what the system says", async () => {
  const machine = await readMachine(fakeHost({ os: "darwin", arch: "aarch64" }));
  assert.equal(machine.memoryTotal, 16 * GIB);
  assert.equal(machine.cores, 8);
  assert.equal(machine.usableCores, 6);
  assert.equal(machine.swapFree, GIB);
  assert.equal(machine.glibc, undefined);
});
