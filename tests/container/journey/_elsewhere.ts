/** The image by other hands than those of `deno task container`: compose, Podman, Charliecloud. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Clone } from "./_clones.ts";
import { everything, newSince } from "./_contents.ts";
import { install, output, Skipped } from "./_engine.ts";
import { IMAGE } from "./_names.ts";

/** Neither root, nor the image's own user. */
const USER = "1234";
const PICTURE = ["create", "--prompt", "1girl", "--seed", "1", "--steps", "2", "--json"];

/** An empty folder for pictures that a user may write. */
async function outputsOf(folder: string, user: string): Promise<string> {
  const outputs = join(folder, "outputs");
  await Deno.remove(outputs, { recursive: true }).catch(() => {});
  await Deno.mkdir(outputs);
  await Deno.chown(outputs, Number(user), Number(user));
  return outputs;
}

/** Whether what `create --json` told is there, and whose it is. */
async function expectPicture(said: string, outputs: string, user: string): Promise<void> {
  const { pictures: [{ path }] } = JSON.parse(said) as { pictures: [{ path: string }] };
  const { uid, size } = await Deno.stat(join(outputs, path.replace(/^outputs\//, "")));
  assert.equal(String(uid), user);
  assert(size > 0);
}

/** Says why something is not tried here. */
async function whereItCanBe(name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Skipped)) throw error;
    console.log(`  SKIPPED: ${name}, because ${error.message}`);
  }
}

/** The file for compose: by the engine's plug-in, or by Debian's program. */
export async function compose({ folder }: Clone): Promise<void> {
  await whereItCanBe("compose", async () => {
    const isPlugIn = await output("docker", "compose", "version").then(() => true, () => false);
    if (!isPlugIn) await install("docker-compose", ["docker-compose"]);
    const program = isPlugIn ? ["docker", "compose"] : ["docker-compose"];
    const before = await everything();
    // Another user's pictures go there for now; what the steps before have made comes back.
    const [own, aside] = [join(folder, "outputs"), join(folder, "outputs.aside")];
    await Deno.rename(own, aside);
    await using _restored = {
      async [Symbol.asyncDispose]() {
        await Deno.remove(own, { recursive: true });
        await Deno.rename(aside, own);
      },
    };
    const outputs = await outputsOf(folder, USER);
    const run = (...args: string[]) =>
      output(
        ...["env", `UID=${USER}`, `GID=${USER}`, ...program] as [string, ...string[]],
        ...["--file", join(folder, "deploy/compose.yaml"), "run", "--rm", "-T", ...args],
      );
    await expectPicture(await run("cpu", ...PICTURE), outputs, USER);
    const touched =
      'try { Deno.writeTextFileSync("/app/x", ""); } catch (e) { console.log(e.code); }' +
      'console.log(Deno.readDirSync("/sys/class/net").map(({ name }) => name).toArray().join());';
    assert.equal((await run("--entrypoint", "deno", "cpu", "eval", touched)).trim(), "EROFS\nlo");
    assert.deepEqual(await newSince(before), []);
  });
}

/** What an engine without a daemon makes of the image. */
export async function podman(): Promise<void> {
  await whereItCanBe("Podman", async () => {
    await install("podman", ["podman", "crun", "runc"]);
    const folder = await Deno.makeTempDir({ prefix: "newbie-podman-" });
    const podman = (...args: string[]) =>
      output("podman", "--root", join(folder, "images"), "--runroot", join(folder, "run"), ...args);
    const image = `localhost/${IMAGE}`;
    // It would raise the limits of files and processes, which machines may forbid.
    const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
    const start = ["run", "--rm", "--no-healthcheck", ...limits, "--network", "none"];
    /** Which control groups a runtime can work with depends on how the machine has them. */
    const runtimeThatStarts = async () => {
      const reasons: string[] = [];
      for (const runtime of ["crun", "runc"]) {
        const chosen = ["--runtime", runtime];
        try {
          await podman(...chosen, ...start, "--entrypoint", "true", image);
          return chosen;
        } catch (error) {
          reasons.push((error as Error).message.trim().split("\n").at(-1)!);
        }
      }
      throw new Skipped(`no container starts: ${reasons.join("; ")}`);
    };
    try {
      const archive = join(folder, "image.tar");
      await output("docker", "save", "--output", archive, IMAGE);
      await podman("load", "--input", archive);
      await Deno.remove(archive);
      const outputs = await outputsOf(folder, USER);
      const said = await podman(
        ...[...await runtimeThatStarts(), ...start, "--read-only", "--cap-drop", "ALL"],
        ...["--user", `${USER}:${USER}`, "--volume", `${outputs}:/app/outputs`, image, ...PICTURE],
      );
      await expectPicture(said, outputs, USER);
    } finally {
      await podman("rmi", "--all", "--force").catch(() => {});
      // It mounts the folder of its layers upon itself.
      await output("umount", join(folder, "images", "overlay")).catch(() => {});
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** The image as a folder, run by a user without any rights, as on clusters. */
export async function charliecloud(): Promise<void> {
  await whereItCanBe("Charliecloud", async () => {
    await install("ch-run", ["charliecloud"]);
    const folder = await Deno.makeTempDir({ prefix: "newbie-charliecloud-" });
    try {
      await Deno.chmod(folder, 0o755);
      const image = join(folder, "image");
      await Deno.mkdir(image);
      const id = (await output("docker", "create", IMAGE)).trim();
      const unpack = 'docker export "$0" | tar --extract --no-same-owner --directory "$1"';
      await output("sh", "-c", unpack, id, image);
      await output("docker", "rm", "--volumes", id);
      const outputs = await outputsOf(folder, USER);
      const said = await output(
        ...["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups"] as [string, ...string[]],
        ...[
          "env",
          "--ignore-environment",
          "PATH=/usr/local/bin:/usr/bin:/bin",
          "HOME=/tmp",
          "USER=x",
        ],
        ...["ch-run", "--set-env=DENO_DIR=/deno", "--bind", `${outputs}:/app/outputs`, image, "--"],
        ...["tini", "-s", "--", "deno", "task", "--quiet", "--cwd", "/app", ...PICTURE],
      );
      await expectPicture(said, outputs, USER);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
