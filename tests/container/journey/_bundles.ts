/** Bundles on the image's way: there, back, and once more. */
import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { build, type Clone, succeed } from "./_clones.ts";
import { movedClock } from "./_clock.ts";
import { removeAll } from "./_contents.ts";
import { output } from "./_engine.ts";
import { IMAGE } from "./_names.ts";

/** The size of a volume: a bundle has several. */
const VOLUME = "100M";

/** What `deno task bundle` tells. */
export interface Bundle {
  readonly folder: string;
  /** The image's digest. */
  readonly image: string;
  /** For every byte of the bundle. */
  readonly sha256: string;
  readonly volumes: readonly unknown[];
}

export async function bundleOf(clone: Clone): Promise<Bundle> {
  const { out } = await succeed(clone, "bundle", "--json", "--split", VOLUME);
  const bundle: Bundle = JSON.parse(out);
  assert(bundle.volumes.length > 1, out);
  console.log(`  image ${bundle.image}`);
  return { ...bundle, folder: resolve(clone.folder, bundle.folder) };
}

export async function loadByScript({ folder }: Clone, bundle: Bundle): Promise<void> {
  await removeAll();
  const script = join(bundle.folder, "load.sh");
  await output("sh", script, "--into", join(folder, "outputs", "installed"));
  await output(
    "docker",
    "run",
    "--rm",
    "--network",
    "none",
    "--read-only",
    IMAGE,
    "parse",
    "1girl",
  );
}

export async function loadByTask(clone: Clone, bundle: Bundle): Promise<void> {
  await removeAll();
  await succeed(clone, "load", "--sha256", bundle.sha256, bundle.folder);
}

/** Other times on the sources, another clock: nothing of them may be in the image. */
export async function sameAgain(clone: Clone, expected: Bundle): Promise<void> {
  await output("find", join(clone.folder, "src"), "-exec", "touch", "-d", "2001-02-03", "{}", "+");
  {
    await using _clock = await movedClock();
    await build(clone);
  }
  const bundle = await bundleOf(clone);
  if (bundle.image !== expected.image) {
    const { out, err } = await clone.task("compare", expected.folder, bundle.folder);
    assert.fail(`The images differ:\n${out}${err}`);
  }
  assert.equal(bundle.sha256, expected.sha256);
}
