/**
 * The whole way of an image, with a real engine: built from a commit, run where it may touch
 * nothing, bundled, removed, loaded, and built again elsewhere to the same digest. Cancelled and
 * refused builds leave nothing.
 *
 *     deno run -A tests/container/journey/main.ts [--move-clock]
 *
 * Where no engine can run it says why, and ends well: the tests beside it need none. With
 * `--move-clock` the machine's clock is a day ahead during the second build.
 */
import { join } from "node:path";
import { bundleOf, loadByScript, loadByTask, sameAgain } from "./_bundles.ts";
import { build, clone, succeed } from "./_clones.ts";
import { keepImages, removeAll } from "./_contents.ts";
import { charliecloud, compose, podman } from "./_elsewhere.ts";
import { provideBase, Skipped, startEngine } from "./_engine.ts";
import {
  healthCheck,
  killed,
  narrow,
  pictures,
  restrictions,
  samePackages,
  served,
  terminal,
} from "./_inside.ts";
import { cancelled, otherArchitecture, twoAtOnce } from "./_refusals.ts";
import { say, step } from "./_say.ts";

const CACHE = join(
  Deno.env.get("XDG_CACHE_HOME") ?? join(Deno.env.get("HOME") ?? "/tmp", ".cache"),
  "newbie",
);

try {
  await using _engine = await startEngine();
  await using _images = await keepImages();
  await provideBase(CACHE);
  const folder = await Deno.makeTempDir({ prefix: "newbie-journey-" });
  try {
    await journey(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  say("done");
} catch (error) {
  if (!(error instanceof Skipped)) throw error;
  console.log(`SKIPPED: the container's journey, because ${error.message}`);
}

async function journey(folder: string): Promise<void> {
  const first = await clone(join(folder, "first"));
  await step("build", () => build(first));
  await step("packages lie there as Deno lays them", () => samePackages(first));
  await step("verify, on this side and inside", async () => {
    await succeed(first, "verify");
    await succeed(first, "container", "--", "verify");
  });
  await step("a cancelled build leaves nothing", () => cancelled(first));
  await step("two builds at once: the second is refused", () => twoAtOnce(first));
  await step("a base image of another architecture is refused", () => otherArchitecture(first));
  await step("what runs inside may touch nothing", restrictions);
  await step("a terminal shows what a pipe does", terminal);
  await step("the engine's own health check", healthCheck);
  await step("a task's container is as narrow as promised", () => narrow(first));
  await step("a killed task leaves no container", () => killed(first));
  await step("health check and pictures inside", () => pictures(first));
  await step("the studio, by a port of this computer alone", () => served(first));
  await step("compose runs it as deploy/compose.yaml says", () => compose(first));
  await step("Podman runs it", podman);
  await step("Charliecloud runs it, for a user without rights", charliecloud);

  const bundle = await step("bundle, in volumes", () => bundleOf(first));
  await step("remove, and load by the script", () => loadByScript(first, bundle));
  await step("remove, and load by the task", () => loadByTask(first, bundle));
  await step("what was loaded may touch nothing", restrictions);
  await step("health check and pictures inside what was loaded", () => pictures(first));

  await removeAll();
  await provideBase(CACHE);
  const second = await clone(join(folder, "elsewhere", "second"));
  await step(
    "a second build, elsewhere and later, has the same digest",
    () => sameAgain(second, bundle),
  );
}
