/** `deno task create --batch`: killed, resumed, shared out. */
import assert from "node:assert/strict";
import { decodePng } from "../../src/mod.ts";
import { BATCH_KEYWORD } from "../../src/studio/batch.ts";
import { filesBelow } from "../_folders.ts";
import { ROOT, runTask, taskCommand } from "./_task_command.ts";

const SMALL = ["--steps", "1", "--width", "32", "--height", "32"];

/** A batch file, and a folder of outputs that is gone afterwards. */
async function withBatch(
  lines: readonly string[],
  work: (file: string, name: string, folder: string) => Promise<void>,
): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".jsonl" });
  const name = `test-${crypto.randomUUID()}`;
  const folder = new URL(`outputs/${name}`, ROOT).pathname;
  try {
    await Deno.writeTextFile(file, lines.join("\n"));
    await work(file, name, folder);
  } finally {
    await Deno.remove(file);
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

const isPicture = (path: string) => path.endsWith(".png");

/** The ids of the files of a folder: every one, unless told otherwise, has to be a whole picture. */
function idsIn(folder: string, include = (_path: string) => true): string[] {
  return filesBelow(folder).filter(include).map((path) => {
    assert.match(path, /\.png$/);
    const { image, text } = decodePng(Deno.readFileSync(path));
    assert.deepEqual([image.width, image.height], [32, 32]);
    return text[BATCH_KEYWORD]!;
  });
}

const prompts = (count: number) =>
  Array.from({ length: count }, (_, index) => JSON.stringify({ prompt: `1girl, tag_${index}` }));

Deno.test("a batch that is killed ten times loses nothing, breaks nothing and makes nothing twice", async () => {
  const count = 120;
  await withBatch(prompts(count), async (file, name, folder) => {
    const args = ["--batch", file, "--output", name, ...SMALL];
    let interrupted = 0;
    let alive = 0;
    for (let kill = 0; kill < 10; kill++) {
      const child = taskCommand("create", [...args, "--json"], {
        stdout: "null",
        stderr: "piped",
      }).spawn();
      // After the first picture's line, so that kills fall between and inside pictures.
      await firstPicture(child.stderr);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 120));
      try {
        child.kill("SIGKILL");
      } catch {
        // It was done before.
      }
      if (!(await child.status).success) interrupted++;
      const ids = idsIn(folder, isPicture);
      assert.equal(new Set(ids).size, ids.length, "a picture was made twice");
      assert(ids.length >= alive, "a picture was lost");
      alive = ids.length;
    }
    assert(interrupted >= 5, `only ${interrupted} of 10 runs were killed before their end`);
    const { code, err } = await runTask("create", args);
    assert.equal(code, 0, err);
    const ids = idsIn(folder);
    assert.equal(ids.length, count);
    assert.equal(new Set(ids).size, count);

    const before = filesBelow(folder).map((path) => Deno.statSync(path).mtime!.getTime());
    const again = await runTask("create", [...args, "--json"]);
    assert.equal(again.code, 0, again.err);
    assert.deepEqual(JSON.parse(again.out).pictures, []);
    assert.equal(JSON.parse(again.out).already, count);
    assert.deepEqual(
      filesBelow(folder).map((path) => Deno.statSync(path).mtime!.getTime()),
      before,
    );
  });
});

/** Waits until one picture was reported, or the end. */
async function firstPicture(stream: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let shown = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    shown += value;
    if (/\d+\/\d+ .*\.png/.test(shown)) break;
  }
  // Read on, so that the process is not stopped by a full pipe.
  void (async () => {
    while (!(await reader.read()).done);
  })();
}

Deno.test("failures are collected, the rest is made, and the exit code says so", async () => {
  const lines = [
    '{"prompt": "1girl", "seed": 1}',
    "not json",
    '{"prompt": "<a><n>x</m></a>"}',
    '{"prompt": "1boy", "width": 33}',
    '{"prompt": "1boy", "seed": 2}',
  ];
  await withBatch(lines, async (file, name, folder) => {
    const args = ["--batch", file, "--output", name, ...SMALL, "--json"];
    const { code, out, err } = await runTask("create", args);
    assert.equal(code, 1, err);
    const { pictures, failures } = JSON.parse(out);
    assert.deepEqual(failures.map(({ place }: { place: string }) => place.split(":").at(-1)), [
      "2",
      "3",
      "4",
    ]);
    assert.deepEqual(pictures.map(({ seed }: { seed: string }) => seed), ["1", "2"]);
    assert.equal(idsIn(folder).length, 2);
    assert.match(err, /3 of 5/);
    // Each is told once, with its place once.
    for (const { place, message } of failures) {
      assert.equal(err.split(message.split("\n")[0]).length, 2, message);
      assert(!message.includes(place), message);
      assert.equal(err.split(`${place}: `).length, 2, place);
    }
  });
});

Deno.test("two processes on one batch make no picture twice, and neither fails", async () => {
  await withBatch(prompts(12), async (file, name, folder) => {
    const args = ["--batch", file, "--output", name, ...SMALL, "--json"];
    const runs = await Promise.all([runTask("create", args), runTask("create", args)]);
    for (const { code, err } of runs) assert.equal(code, 0, err);
    const ids = idsIn(folder);
    assert.equal(ids.length, 12);
    assert.equal(new Set(ids).size, 12);
  });
});

Deno.test("shards make every picture once, into one folder", async () => {
  await withBatch(prompts(9), async (file, name, folder) => {
    const args = ["--batch", file, "--output", name, ...SMALL, "--json"];
    const runs = await Promise.all(
      ["0/3", "1/3", "2/3"].map((shard) => runTask("create", [...args, "--shard", shard])),
    );
    for (const { code, err } of runs) assert.equal(code, 0, err);
    const made = runs.map(({ out }) => JSON.parse(out).pictures.length);
    assert.equal(made.reduce((sum, count) => sum + count, 0), 9);
    assert.equal(new Set(idsIn(folder)).size, 9);
  });
});

Deno.test("workers that claim what they draw share a batch, and finish what killed ones began", async () => {
  const count = 24;
  await withBatch(prompts(count), async (file, name, folder) => {
    const args = ["--batch", file, "--output", name, "--claim", ...SMALL, "--json"];
    const killed = [0, 1].map(() =>
      taskCommand("create", args, { stdout: "null", stderr: "piped" }).spawn()
    );
    await Promise.all(killed.map(async (child) => {
      await firstPicture(child.stderr);
      try {
        child.kill("SIGKILL");
      } catch {
        // It was done before.
      }
      await child.status;
    }));
    const before = idsIn(folder, isPicture).length;
    const runs = await Promise.all([0, 1, 2].map(() => runTask("create", args)));
    for (const { code, err } of runs) assert.equal(code, 0, err);
    const results = runs.map(({ out }) => JSON.parse(out));
    const made = results.map(({ pictures }) => pictures.length);
    assert.equal(made.reduce((sum, each) => sum + each, before), count);
    // Each knows of the whole batch.
    for (const { pictures, already } of results) assert.equal(pictures.length + already, count);
    const ids = idsIn(folder, isPicture);
    assert.equal(ids.length, count);
    assert.equal(new Set(ids).size, count);
    assert.deepEqual(filesBelow(folder).filter((path) => !isPicture(path)), []);
  });
});

Deno.test("--claim shares out a batch, and no part of one", async () => {
  const alone = await runTask("create", ["--claim", "--prompt", "1girl"]);
  assert.equal(alone.code, 2);
  assert.match(alone.err, /--claim .*--batch/);
  const both = await runTask("create", ["--batch", "x", "--claim", "--shard", "0/2"]);
  assert.equal(both.code, 2);
});
