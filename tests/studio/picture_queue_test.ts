/** The queue with a model that draws at once: what is expected follows from the order of asking. */
import assert from "node:assert/strict";
import { ChangedFileError } from "../../src/safetensors/mod.ts";
import { PictureQueue, QueueFullError } from "../../src/studio/picture_queue.ts";
import { StudioThread } from "../../src/studio/studio_thread.ts";
import { fakeStudio } from "../server/_fake.ts";
import { filesBelow, inTempFolder } from "../_folders.ts";

Deno.test("fifty who ask at once each get their own pictures, one after the other", async () => {
  await inTempFolder(async (folder) => {
    const { open, painted } = fakeStudio();
    await using queue = await PictureQueue.open({ open, root: `${folder}/outputs` });
    const jobs = Array.from({ length: 50 }, (_, index) =>
      queue.add({
        request: { prompt: `prompt ${index}`, generator: { seed: 1000 * index } },
        count: 2,
      }));
    const done = await Promise.all(jobs.map(({ id }) => queue.finished(id)));
    assert.equal(painted.most, 1);
    assert.equal(painted.opened, 1);
    assert.equal(filesBelow(`${folder}/outputs`).length, 100);
    for (const [index, job] of done.entries()) {
      assert.equal(job?.state, "done");
      assert.deepEqual(
        job.pictures.map(({ seed, prompt }) => [seed, prompt]),
        [0, 1].map((more) => [String(1000 * index + more), `prompt ${index}`]),
      );
    }
    const paths = done.flatMap((job) => job!.pictures.map(({ path }) => path));
    assert.equal(new Set(paths).size, 100);
  });
});

Deno.test("a job that waits is never begun when it is cancelled, and the others go on", async () => {
  await inTempFolder(async (folder) => {
    const { open, painted } = fakeStudio({ stepMilliseconds: 5 });
    await using queue = await PictureQueue.open({ open, root: `${folder}/outputs` });
    const [first, second, third] = ["a", "b", "c"].map((prompt) =>
      queue.add({ request: { prompt } })
    );
    assert.equal(queue.cancel(second!.id), true);
    await queue.finished(third!.id);
    assert.deepEqual(painted.prompts, ["a", "c"]);
    assert.equal(queue.job(second!.id)?.state, "cancelled");
    assert.equal(queue.job(first!.id)?.state, "done");
    assert.equal(queue.cancel(first!.id), false);
  });
});

Deno.test("what was made before a job is cancelled stays", async () => {
  await inTempFolder(async (folder) => {
    const { open } = fakeStudio({ stepMilliseconds: 5 });
    await using queue = await PictureQueue.open({ open, root: `${folder}/outputs` });
    const { id } = queue.add({ request: { prompt: "a" }, count: 50 });
    using _watch = queue.watch((event) => {
      if (event.kind === "job" && event.job.pictures.length === 2) queue.cancel(id);
    });
    const job = await queue.finished(id);
    assert.equal(job?.state, "cancelled");
    assert.equal(job.pictures.length, 2);
    assert.equal(filesBelow(`${folder}/outputs`).length, 2);
  });
});

Deno.test("a picture that is skipped leaves the job its other pictures", async () => {
  await inTempFolder(async (folder) => {
    const { open } = fakeStudio({ stepMilliseconds: 5 });
    await using queue = await PictureQueue.open({ open, root: `${folder}/outputs` });
    const { id } = queue.add({ request: { prompt: "a" }, count: 3 });
    let isSkipped = false;
    using _watch = queue.watch((event) => {
      if (event.kind !== "preview" || event.picture !== 1 || isSkipped) return;
      isSkipped = queue.skip();
    });
    const job = await queue.finished(id);
    assert.equal(job?.state, "done");
    assert.deepEqual(job.pictures.map(({ index }) => index), [0, 2]);
  });
});

Deno.test("a job that fails says why, in both languages, and the next one is drawn", async () => {
  await inTempFolder(async (folder) => {
    const { open } = fakeStudio({ fails: (prompt) => prompt === "bad" });
    await using queue = await PictureQueue.open({ open, root: `${folder}/outputs` });
    const bad = queue.add({ request: { prompt: "bad" } });
    const good = queue.add({ request: { prompt: "good" } });
    const failed = await queue.finished(bad.id);
    assert.equal(failed?.state, "failed");
    assert.match(failed.error!.en, /the fake model fails/);
    assert.match(failed.error!.zh, /意料之外/);
    assert.equal((await queue.finished(good.id))?.state, "done");
  });
});

Deno.test("what waited when the process ended waits again, with the same seeds", async () => {
  await inTempFolder(async (folder) => {
    const options = { root: `${folder}/outputs`, file: `${folder}/cache/queue.json` };
    const slow = fakeStudio({ stepMilliseconds: 20 });
    const before = await PictureQueue.open({ ...options, open: slow.open });
    const { id } = before.add({ request: { prompt: "a", numInferenceSteps: 9 }, count: 3 });
    const other = before.add({ request: { prompt: "b" } });
    const { promise, resolve } = Promise.withResolvers<void>();
    before.watch((event) => {
      if (event.kind === "job" && event.job.pictures.length === 1) resolve();
    });
    await promise;
    const seed = Number(before.job(id)!.pictures[0]!.seed);
    await before[Symbol.asyncDispose]();

    const { open } = fakeStudio();
    await using after = await PictureQueue.open({ ...options, open });
    const [job, last] = await Promise.all([after.finished(id), after.finished(other.id)]);
    assert.deepEqual(
      job?.pictures.map(({ seed }) => Number(seed)),
      [seed, seed + 1, seed + 2],
    );
    assert.equal(last?.pictures[0]?.seed, String(other.request.generator!.seed));
    assert.equal(filesBelow(`${folder}/outputs`).length, 4);
  });
});

Deno.test("a damaged file of what waited is nothing that waits", async () => {
  await inTempFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/queue.json`, '{"version":1,"jobs":[{"id":"x"}]}');
    const { open } = fakeStudio();
    await using queue = await PictureQueue.open({
      open,
      file: `${folder}/queue.json`,
      root: folder,
    });
    assert.deepEqual(queue.jobs, []);
  });
});

Deno.test("an idle queue gives the model back, and loads it for the next picture", async () => {
  await inTempFolder(async (folder) => {
    const { open, painted } = fakeStudio();
    await using queue = await PictureQueue.open({
      open,
      root: `${folder}/outputs`,
      idleMilliseconds: 20,
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    using _watch = queue.watch((event) => {
      if (event.kind === "model" && queue.model.state === "absent") resolve();
    });
    await queue.finished(queue.add({ request: { prompt: "a" } }).id);
    const hold = setTimeout(() => {}, 5000);
    await promise;
    clearTimeout(hold);
    assert.deepEqual([painted.opened, painted.closed], [1, 1]);
    await queue.finished(queue.add({ request: { prompt: "b" } }).id);
    assert.equal(painted.opened, 2);
  });
});

Deno.test("when the thread that draws ends, its job fails and the next one has a thread of its own", async () => {
  await inTempFolder(async (folder) => {
    const { open, painted } = fakeStudio({ ends: (prompt) => prompt === "b" });
    await using queue = await PictureQueue.open({ open, root: folder });
    const jobs = ["a", "b", "c"].map((prompt) => queue.add({ request: { prompt } }));
    const [first, second, third] = await Promise.all(jobs.map(({ id }) => queue.finished(id)));
    assert.deepEqual([first, second, third].map((job) => job!.state), ["done", "failed", "done"]);
    assert.match(second!.error!.en, /the thread has ended/);
    assert.deepEqual([painted.prompts, painted.opened], [["a", "c"], 2]);
  });
});

Deno.test("a model whose files got another name is loaded anew for the picture, and once a picture", async () => {
  await inTempFolder(async (folder) => {
    const model = `${folder}/model`;
    for (const part of ["clip_model", "next-dit", "transformer", "vae"]) {
      await Deno.mkdir(`${model}/${part}`, { recursive: true });
      for (const { name } of Deno.readDirSync(`models/demo/${part}`)) {
        await Deno.copyFile(`models/demo/${part}/${name}`, `${model}/${part}/${name}`);
      }
    }
    let opened = 0;
    await using queue = await PictureQueue.open({
      open: () => {
        opened++;
        return StudioThread.open(model, { device: "cpu" });
      },
      root: `${folder}/outputs`,
    });
    const draw = async (seed: number) => {
      const request = {
        prompt: "1girl",
        numInferenceSteps: 1,
        width: 64,
        height: 64,
        generator: { seed },
      };
      return await queue.finished(queue.add({ request }).id);
    };
    assert.equal((await draw(1))?.state, "done");
    // Deno knows the time of a file's last change in whole seconds.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    // As deno task quantize and merge do with the files that they leave as they are.
    await Deno.link(`${model}/vae/model.safetensors`, `${folder}/vae.safetensors`);
    const second = await draw(2);
    assert.deepEqual([second?.state, second?.error, opened], ["done", undefined, 2]);
  });
  await inTempFolder(async (folder) => {
    const { open, painted } = fakeStudio({
      fails: (prompt) => {
        if (prompt === "b") throw new ChangedFileError("model.safetensors");
        return false;
      },
    });
    await using queue = await PictureQueue.open({ open, root: folder });
    const [first, second] = ["a", "b"].map((prompt) => queue.add({ request: { prompt } }));
    assert.equal((await queue.finished(first!.id))?.state, "done");
    assert.match((await queue.finished(second!.id))!.error!.en, /changed or removed/);
    assert.deepEqual([painted.opened, painted.closed], [2, 1]);
  });
});

Deno.test("more than may wait is refused, and says how much waits", async () => {
  await inTempFolder(async (folder) => {
    const { open } = fakeStudio({ stepMilliseconds: 50 });
    await using queue = await PictureQueue.open({ open, root: folder, mostPictures: 5 });
    queue.add({ request: { prompt: "a" }, count: 4 });
    assert.throws(() => queue.add({ request: { prompt: "b" }, count: 2 }), QueueFullError);
    queue.add({ request: { prompt: "c" } });
  });
});

Deno.test("a template draws each picture its own prompt", async () => {
  await inTempFolder(async (folder) => {
    const { open, painted } = fakeStudio();
    await using queue = await PictureQueue.open({ open, root: `${folder}/outputs` });
    const { id } = queue.add({ request: { prompt: "{@red|blue} hair" }, count: 2 });
    await queue.finished(id);
    assert.deepEqual(painted.prompts, ["red hair", "blue hair"]);
  });
});
