/** What `deploy/` offers to clusters, as far as it can be run without one. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { isInShard, parseShard, readBatch } from "../src/studio/batch.ts";
import { temporaryFolder } from "./_folders.ts";
import { sh } from "./integrity/_packages.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const read = (name: string) => Deno.readTextFile(join(ROOT, "deploy", name));

/** Every request of a batch has to be drawn by one of the parts, and by no other. */
async function assertSharesOut(shards: readonly string[]): Promise<void> {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "prompts.jsonl");
  const lines = Array.from({ length: 24 }, (_, seed) => `{"prompt": "1girl", "seed": ${seed}}`);
  await Deno.writeTextFile(path, lines.join("\n"));
  const { items } = await readBatch(path, {});
  const parts = shards.map(parseShard);
  const times = items.map((item) => parts.filter((part) => isInShard(item, part)).length);
  assert.deepEqual(times, lines.map(() => 1));
}

/** The value behind an option. */
const valueOf = (args: readonly string[], name: string) => args[args.indexOf(name) + 1]!;

Deno.test("the Job's parts draw the batch, without a shell in between", async () => {
  const [job, policy] = parseAllDocuments(await read("kubernetes.yaml")).map((it) => it.toJS());
  const { spec: { completions, completionMode, template: { spec, metadata } } } = job;
  const [container] = spec.containers;
  assert.equal(completionMode, "Indexed");
  assert.equal(container.command, undefined, "tini is the first process, and passes signals on");
  // Kubernetes puts the part's number in its place.
  const shards = Array.from(
    { length: completions },
    (_, index) =>
      valueOf(container.args, "--shard").replace("$(JOB_COMPLETION_INDEX)", String(index)),
  );
  await assertSharesOut(shards);
  // The image's own user may write into volumes that are fresh from their provisioner.
  const dockerfile = await Deno.readTextFile(join(ROOT, "Dockerfile"));
  const [, user] = /^USER (\d+):\d+$/m.exec(dockerfile)!;
  const { runAsUser, fsGroup } = spec.securityContext;
  assert.deepEqual([String(runAsUser), String(fsGroup)], [user, user]);
  // `backoffLimitPerIndex` is only for pods that are never started again.
  assert.equal(spec.restartPolicy, "Never");
  const mounted = container.volumeMounts.map(({ name }: { name: string }) => name).sort();
  assert.deepEqual(mounted, spec.volumes.map(({ name }: { name: string }) => name).sort());
  assert.deepEqual(policy.spec.podSelector.matchLabels, metadata.labels);
  assert.deepEqual([policy.spec.ingress, policy.spec.egress], [undefined, undefined]);
});

/** A part of what another has, or the same. */
function isPartOf(part: unknown, whole: unknown): boolean {
  if (Array.isArray(part)) {
    return Array.isArray(whole) && part.every((one) => whole.some((other) => isPartOf(one, other)));
  }
  if (typeof part !== "object" || part === null) return part === whole;
  return Object.entries(part).every(([key, value]) =>
    typeof whole === "object" && whole !== null && Object.hasOwn(whole, key) &&
    isPartOf(value, whole[key as keyof typeof whole])
  );
}

Deno.test("the Job that README shows is a part of the one in deploy/", async () => {
  const [whole] = parseAllDocuments(await read("kubernetes.yaml")).map((it) => it.toJS());
  for (const name of ["README.md", "README.zh-CN.md"]) {
    const readme = await Deno.readTextFile(join(ROOT, name));
    const [, text] = /```yaml\n(apiVersion: batch\/v1\n[^]*?)```/.exec(readme)!;
    assert(isPartOf(parse(text!), whole), name);
  }
  assert(!isPartOf({ spec: { completions: 9 } }, whole));
});

Deno.test("Slurm's tasks draw the batch, and one that is submitted again draws its own part", async () => {
  const script = join(ROOT, "deploy/slurm.sh");
  const [, from, to] = /^#SBATCH --array=(\d+)-(\d+)$/m.exec(await read("slurm.sh"))!.map(Number);
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(join(folder.path, "deno"), '#!/bin/sh\nprintf "%s\\n" "$@"\n', {
    mode: 0o755,
  });
  const argumentsOf = async (index: number, array: Record<string, string>, ...args: string[]) => {
    const { stdout, success } = await new Deno.Command("bash", {
      args: [script, ...args],
      env: {
        PATH: `${folder.path}:/usr/bin:/bin`,
        SLURM_ARRAY_TASK_ID: String(index),
        ...array,
      },
    }).output();
    assert(success);
    return new TextDecoder().decode(stdout).trimEnd().split("\n");
  };
  const all = { SLURM_ARRAY_TASK_MIN: `${from}`, SLURM_ARRAY_TASK_MAX: `${to}` };
  const shards: string[] = [];
  for (let index = from!; index <= to!; index++) {
    shards.push(valueOf(await argumentsOf(index, all), "--shard"));
  }
  await assertSharesOut(shards);
  const again = {
    SLURM_ARRAY_TASK_MIN: "3",
    SLURM_ARRAY_TASK_MAX: "3",
    SLURM_ARRAY_TASK_COUNT: "1",
  };
  const args = await argumentsOf(3, again, "outputs/a b.jsonl", "--model", "/my models");
  assert.deepEqual(args.slice(2), [
    "create",
    "--batch",
    "outputs/a b.jsonl",
    "--shard",
    shards[3]!,
    "--model",
    "/my models",
  ]);
  // An array of another size would leave parts undrawn: it has to be said what is meant.
  const sized = async (env: Record<string, string>) =>
    (await new Deno.Command("bash", {
      args: [script],
      env: { PATH: `${folder.path}:/usr/bin:/bin`, ...env },
    }).output()).code;
  const four = {
    SLURM_ARRAY_TASK_ID: "0",
    SLURM_ARRAY_TASK_MIN: "0",
    SLURM_ARRAY_TASK_MAX: "3",
    SLURM_ARRAY_TASK_COUNT: "4",
  };
  assert.equal(await sized(four), 2);
  assert.equal(await sized({ ...four, PARTS: "4" }), 0);
  assert.equal(
    await sized({ ...four, SLURM_ARRAY_TASK_MAX: "15", SLURM_ARRAY_TASK_COUNT: "2" }),
    2,
  );
  // Some of eight that are submitted again, and eight that are counted from 1.
  const some = {
    SLURM_ARRAY_TASK_MIN: "2",
    SLURM_ARRAY_TASK_MAX: "5",
    SLURM_ARRAY_TASK_COUNT: "2",
  };
  assert.equal(await sized({ ...four, ...some, SLURM_ARRAY_TASK_ID: "5" }), 0);
  const fromOne = { ...four, SLURM_ARRAY_TASK_MIN: "1", SLURM_ARRAY_TASK_MAX: "8" };
  assert.equal(await sized({ ...fromOne, SLURM_ARRAY_TASK_COUNT: "8" }), 0);
  // Tasks that claim what they draw need no parts.
  const claiming = await argumentsOf(9, {}, "outputs/p.jsonl", "--claim");
  assert.deepEqual(claiming.slice(2), ["create", "--batch", "outputs/p.jsonl", "--claim"]);
  const alone = await sh("env", ["-u", "SLURM_ARRAY_TASK_ID", "bash", script], ROOT);
  assert.equal(alone.code, 1);
  assert.match(alone.err, /submit it with sbatch/);
});

Deno.test("Apptainer's script starts what the image starts, with what stands behind it", async () => {
  const text = await read("apptainer.def");
  const dockerfile = await Deno.readTextFile(join(ROOT, "Dockerfile"));
  const entrypoint = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)![1]!) as string[];
  const script = /^%runscript\n([^]*?)\n\n%/m.exec(text)![1]!;
  await using folder = await temporaryFolder();
  const tini = join(folder.path, "tini");
  await Deno.writeTextFile(tini, '#!/bin/sh\nprintf "%s\\n" tini "$@"\n', { mode: 0o755 });
  // tini is not the first process there, and has to be told that.
  const start = entrypoint.toSpliced(1, 0, "-s");
  // Apptainer runs it by a shell of POSIX.
  const run = async (...args: string[]) => {
    const { stdout, success } = await new Deno.Command("sh", {
      args: ["-c", script, "sh", ...args],
      env: { PATH: `${folder.path}:/usr/bin:/bin` },
    }).output();
    assert(success);
    return new TextDecoder().decode(stdout).trimEnd().split("\n");
  };
  assert.deepEqual(await run(), [...start, "test"]);
  const args = ["create", "--prompt", "1girl, red hair"];
  assert.deepEqual(await run(...args), [...start, ...args]);
  assert.match(text, /^Bootstrap: docker-daemon\nFrom: newbie:cuda$/m);
});

Deno.test("compose runs the image with no network and a root that cannot be written", async () => {
  const { services } = parse(await read("compose.yaml"), { merge: true });
  for (const service of Object.values<Record<string, unknown>>(services)) {
    const { network_mode, read_only, cap_drop, pull_policy } = service;
    assert.deepEqual([network_mode, read_only, cap_drop, pull_policy], [
      "none",
      true,
      ["ALL"],
      "never",
    ]);
    for (const volume of service["volumes"] as string[]) {
      const [source, target, mode] = volume.split(":");
      // Beside deploy/, at the same place in the image.
      assert.equal(source!.replace("../", "/app/"), target);
      assert.equal(mode, target === "/app/outputs" ? undefined : "ro");
    }
  }
});
