/** What can go into a prompt and what becomes of it, over HTTP: wildcards, adapters, plans. */
import assert from "node:assert/strict";
import { temporaryFolder } from "../_folders.ts";
import { fakeServer } from "./_fake.ts";

async function withWildcards(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/wildcards/clothes`, { recursive: true });
  await Deno.writeTextFile(`${folder}/wildcards/hair.txt`, "# colours\nred_hair\nblue_hair\n");
  await Deno.writeTextFile(`${folder}/wildcards/clothes/summer.txt`, "dress\nshorts\n");
}

const json = async (answer: Response | Promise<Response>) => await (await answer).json();

Deno.test("wildcards are listed by name, and each shows what it can stand for", async () => {
  await using folder = await temporaryFolder();
  await using server = await fakeServer(folder.path);
  assert.deepEqual(await json(server.ask("/api/wildcards")), { wildcards: [] });
  await withWildcards(folder.path);
  assert.deepEqual(await json(server.ask("/api/wildcards")), {
    wildcards: ["clothes/summer", "hair"],
  });
  assert.deepEqual(await json(server.ask("/api/wildcards/clothes/summer")), {
    name: "clothes/summer",
    count: 2,
    values: ["dress", "shorts"],
  });
  for (const name of ["none", "..%2Fpresets", "%2E%2E/outputs", "*"]) {
    assert.equal((await server.ask(`/api/wildcards/${name}`)).status, 404, name);
  }
});

Deno.test("a damaged wildcard is told of in the language that is asked for", async () => {
  await using folder = await temporaryFolder();
  await using server = await fakeServer(folder.path);
  await Deno.mkdir(`${folder.path}/wildcards`);
  await Deno.writeTextFile(`${folder.path}/wildcards/bad.yaml`, "a: [b\nc: ]");
  const answer = await server.ask("/api/wildcards", { headers: { "Accept-Language": "zh" } });
  assert.equal(answer.status, 400);
  assert.match((await answer.json()).error.message, /bad\.yaml/);
});

Deno.test("a plan has the prompts that its job then draws", async () => {
  await using folder = await temporaryFolder();
  await using server = await fakeServer(folder.path);
  const asked = { prompt: "{red|blue|green}_hair, 1girl", seed: "41", count: 5 };
  const plan = await json(server.ask("/api/prompts/plan", { json: asked }));
  assert.equal(plan.count, 5);
  assert.deepEqual(
    plan.pictures.map(({ seed }: { seed: string }) => seed),
    ["41", "42", "43", "44", "45"],
  );
  const { id } = await json(server.ask("/api/jobs", { json: asked }));
  // It ends with the job.
  await (await server.ask(`/api/jobs/${id}/events`)).text();
  assert.deepEqual(
    server.painted.prompts,
    plan.pictures.map(({ prompt }: { prompt: string }) => prompt),
  );
});

Deno.test("a plan of a template without a choice of that name says so", async () => {
  await using folder = await temporaryFolder();
  await withWildcards(folder.path);
  await using server = await fakeServer(folder.path);
  const plan = (prompt: string) => server.ask("/api/prompts/plan", { json: { prompt, seed: "3" } });
  const [{ prompt }] = (await json(plan("__hair__, 1girl"))).pictures;
  assert.match(prompt, /^(red|blue)_hair, 1girl$/);
  const answer = await plan("__no_such__");
  assert.equal(answer.status, 400);
  assert.match((await answer.json()).error.message, /no_such/);
});

Deno.test("completion knows wildcards behind two underscores and adapters behind <lora:", async () => {
  await using folder = await temporaryFolder();
  await withWildcards(folder.path);
  await using server = await fakeServer(folder.path);
  const complete = (prompt: string) =>
    json(server.ask("/api/prompts/complete", { json: { prompt, offset: prompt.length } }));
  assert.deepEqual(await complete("1girl, __summ"), {
    from: 9,
    options: [{ text: "clothes/summer__", kind: "wildcard" }],
  });
  // Those that come with the demo model, in models/demo/loras.
  const { from, options } = await complete("1girl, <lora:night");
  assert.deepEqual([from, options], [13, [{ text: "night_light:1>", kind: "adapter" }]]);
});

Deno.test("adapters that are there are listed, those that nobody examined yet by their names", async () => {
  await using folder = await temporaryFolder();
  await using server = await fakeServer(folder.path);
  const { adapters } = await json(server.ask("/api/adapters"));
  for (const name of ["night_light", "tsukimi"]) {
    const own = adapters.find((adapter: { name: string }) => adapter.name === name);
    assert.deepEqual(own, { name });
  }
});
