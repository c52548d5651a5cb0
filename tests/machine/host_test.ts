/** What is read of this machine is compared with what its own tools say. */
import assert from "node:assert/strict";
import { localHost } from "../../src/machine/host.ts";
import { inTempFolder } from "../_folders.ts";

const LINUX = Deno.build.os === "linux";

Deno.test("what stands in a folder's place is told from a folder and from nothing", async () => {
  await inTempFolder(async (folder) => {
    const host = localHost();
    await Deno.mkdir(`${folder}/folder`);
    await Deno.writeTextFile(`${folder}/file`, "");
    await Deno.symlink("folder", `${folder}/link`);
    await Deno.symlink("nowhere", `${folder}/lost`);
    const found = ["folder", "file", "link", "lost", "nothing"].map((name) =>
      host.isNoFolder(`${folder}/${name}`)
    );
    assert.deepEqual(await Promise.all(found), [false, true, false, true, false]);
  });
});

Deno.test({
  name: "a command that ends is heard to its end, with its exit code",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const result = await localHost().run("/bin/sh", ["-c", "echo out; echo err >&2; exit 3"]);
    assert.deepEqual(result, { code: 3, stdout: "out\n", stderr: "err\n" });
    assert.equal(await localHost().run("/nowhere/nvidia-smi", []), undefined);
  },
});

Deno.test({
  name: "a command that never ends is given up, and so is one whose child holds its output",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    for (const script of ["exec sleep 60", "sleep 60"]) {
      assert.equal(await localHost(0.2).run("/bin/sh", ["-c", script]), "silent");
    }
  },
});

Deno.test({
  name: "a program ends although what it gave up has not",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inTempFolder(async (folder) => {
      // Cannot be killed by this program, as what hangs in a driver cannot be.
      const script = `import { localHost } from ${
        JSON.stringify(new URL("../../src/machine/host.ts", import.meta.url).href)
      };
        const answer = await localHost(0.2).run("/bin/sh", ["-c", "sleep 30 & wait"]);
        console.log(answer);`;
      await Deno.writeTextFile(`${folder}/main.ts`, script);
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--allow-run=/bin/sh", `${folder}/main.ts`],
        signal: AbortSignal.timeout(20_000),
      }).output();
      assert.equal(new TextDecoder().decode(stdout), "silent\n");
    });
  },
});

Deno.test({
  name: "files of the kernel are read by leave for those very files, and as they are now",
  ignore: !LINUX,
  fn: async () => {
    await inTempFolder(async (folder) => {
      const script = `import { localHost } from ${
        JSON.stringify(new URL("../../src/machine/host.ts", import.meta.url).href)
      };
        const host = localHost();
        const first = await host.readText("/proc/uptime");
        await new Promise((resolve) => setTimeout(resolve, 50));
        const second = await host.readText("/proc/uptime");
        console.log(JSON.stringify([first, second, await host.readText("/proc/self/environ")]));`;
      await Deno.writeTextFile(`${folder}/main.ts`, script);
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-prompt", "--allow-read=/proc/uptime", `${folder}/main.ts`],
      }).output();
      const [first, second, other] = JSON.parse(new TextDecoder().decode(stdout));
      assert.match(first, /^\d+\.\d+ \d+\.\d+\n$/);
      assert(Number.parseFloat(second) > Number.parseFloat(first));
      assert.equal(other, null);
    });
  },
});

Deno.test({
  name: "what may not be asked is absent, never an error",
  fn: async () => {
    await inTempFolder(async (folder) => {
      const script = `import { localHost } from ${
        JSON.stringify(new URL("../../src/machine/host.ts", import.meta.url).href)
      };
        const host = localHost();
        const { memory, os } = host.system();
        console.log(JSON.stringify([
          memory ?? null, os, host.env("HOME") ?? null, host.seesEverything(),
          await host.list("/"), await host.exists("/"), await host.run("ls", []) ?? null,
        ]));`;
      await Deno.writeTextFile(`${folder}/main.ts`, script);
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-prompt", `${folder}/main.ts`],
      }).output();
      const { os } = Deno.build;
      assert.deepEqual(
        JSON.parse(new TextDecoder().decode(stdout) || new TextDecoder().decode(stderr)),
        [null, os, null, false, [], false, null],
      );
    });
  },
});
