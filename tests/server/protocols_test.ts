/**
 * What clients of the three protocols get: forms of OpenAI's API reference and of AUTOMATIC1111's
 * modules/api/models.py.
 */
import assert from "node:assert/strict";
import { decodePng, encodePng } from "../../src/mod.ts";
import { inTempFolder } from "../_folders.ts";
import { fakeServer, fakeStudio } from "./_fake.ts";

Deno.test("a job is asked for, watched and found in the gallery", async () => {
  await inTempFolder(async (folder) => {
    const studio = fakeStudio({ stepMilliseconds: 10 });
    await using server = await fakeServer(folder, { studio });
    const asked = await server.ask("/api/jobs", { json: { prompt: "a cat", seed: "7", count: 2 } });
    assert.equal(asked.status, 201);
    const { id } = await asked.json();
    const events = await (await server.ask(`/api/jobs/${id}/events`)).text();
    const names = [...events.matchAll(/^event: (\w+)$/gm)].map(([, name]) => name);
    assert.equal(names[0], "jobs");
    assert(names.includes("preview") && names.includes("job"));
    const job = await (await server.ask(`/api/jobs/${id}`)).json();
    assert.equal(job.state, "done");
    assert.deepEqual(job.pictures.map(({ seed }: { seed: string }) => seed), ["7", "8"]);
    await server.gallery.noted();
    const found = await (await server.ask("/api/gallery?search=CAT%208")).json();
    assert.deepEqual(found.pictures.map(({ name }: { name: string }) => name), [
      job.pictures[1].name,
    ]);
    const recipe = await (await server.ask(`/api/gallery/recipe/${found.pictures[0].name}`)).json();
    assert.deepEqual([recipe.settings.prompt, recipe.settings.seed], ["a cat", "8"]);
  });
});

Deno.test("a picture that was thrown away can be had back, under a free name", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const job = await server.queue.finished(server.queue.add({ request: { prompt: "a" } }).id);
    const name = job!.pictures[0]!.path.split("/").slice(-2).join("/");
    const file = await (await server.ask(`/api/gallery/file/${name}`)).bytes();
    const binned = await (await server.ask(`/api/gallery/file/${name}`, { method: "DELETE" }))
      .json();
    assert.equal((await server.ask(`/api/gallery/file/${name}`)).status, 404);
    await Deno.writeFile(`${server.root}/${name}`, file);
    const restored = await (await server.ask("/api/gallery/restore", { json: binned })).json();
    assert.equal(restored.name, name.replace(".png", "-2.png"));
    const outside = await server.ask("/api/gallery/restore", { json: { binned: "../x" } });
    assert.equal(outside.status, 404);
  });
});

Deno.test("prompts are linted in the client's language, with fixes, and completed", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const prompt = "<character_1><n>miku</character_1>";
    const lint = await (await server.ask("/api/prompts/lint", {
      json: { prompt },
      headers: { "Accept-Language": "zh" },
    })).json();
    assert.equal(lint.diagnostics[0].code, "unclosed-inside");
    assert.match(lint.diagnostics[0].message, /[一-鿿]/);
    assert.deepEqual(lint.diagnostics[0].fix, [{
      offset: prompt.indexOf("</character_1>"),
      length: 0,
      text: "</n>",
    }]);
    const completed = await (await server.ask("/api/prompts/complete", {
      json: { prompt: "<character_1><app", offset: 17 },
    })).json();
    assert.deepEqual(completed, { from: 14, options: [{ text: "appearance>", kind: "element" }] });
  });
});

Deno.test("the OpenAPI document has every path of the API", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const document = await (await server.ask("/openapi.json")).json();
    assert.equal(document.openapi, "3.1.0");
    for (
      const path of ["/api/jobs", "/api/jobs/{id}", "/api/prompts/lint", "/api/gallery/file/{name}"]
    ) {
      assert(path in document.paths, path);
    }
    const { schema } = document.paths["/api/jobs"].post.requestBody.content["application/json"];
    assert("step_cache" in schema.properties);
  });
});

Deno.test("OpenAI's clients get pictures in base64 or as links, and errors in their form", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const json = { model: "newbie-image-exp0.1", prompt: "a", n: 2, size: "32x48", seed: 5 };
    const { data } = await (await server.ask("/v1/images/generations", { json })).json();
    assert.equal(data.length, 2);
    const { image } = decodePng(Uint8Array.fromBase64(data[0].b64_json));
    assert.deepEqual([image.width, image.height, image.data[0]], [32, 48, 5]);
    const linked = await (await server.ask("/v1/images/generations", {
      json: { ...json, n: 1, response_format: "url" },
    })).json();
    assert.equal((await server.ask(new URL(linked.data[0].url).pathname)).status, 200);

    const others = { image_size: "32x32", batch_size: 2, num_inference_steps: 3, cfg_scale: 4 };
    const { data: two } = await (await server.ask("/v1/images/generations", {
      json: { prompt: "1girl", ...others, guidance_scale: 5 },
    })).json();
    assert.equal(two.length, 2);
    const { width, height, numInferenceSteps, guidanceScale } = server.painted.requests.at(-1)!;
    assert.deepEqual([width, height, numInferenceSteps, guidanceScale], [32, 32, 3, 5]);
    const unknown = await server.ask("/v1/images/generations", {
      json: { ...json, model: "another" },
    });
    assert.equal(unknown.status, 404);
    assert.equal((await unknown.json()).error.code, "model_not_found");
    const wrong = await server.ask("/v1/images/generations", { json: { prompt: 7 } });
    assert.deepEqual([wrong.status, (await wrong.json()).error.type], [
      400,
      "invalid_request_error",
    ]);
  });
});

Deno.test("AUTOMATIC1111's clients get its fields, with info as a text of JSON", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const response = await server.ask("/sdapi/v1/txt2img", {
      json: {
        prompt: "a",
        negative_prompt: "b",
        seed: 7,
        steps: 3,
        width: 33,
        height: 47,
        sampler_name: "Euler a",
        batch_size: 2,
      },
    });
    const { images, parameters, info } = await response.json();
    assert.equal(images.length, 2);
    assert.equal(parameters.steps, 3);
    const read = JSON.parse(info);
    assert.deepEqual(read.all_seeds, [7, 8]);
    assert.deepEqual([read.seed, read.width, read.height], [7, 32, 48]);
    assert.match(read.infotexts[0], /^a\nNegative prompt: b\nSteps: 3, Sampler: Euler, /);
    const png = await (await server.ask("/sdapi/v1/png-info", { json: { image: images[0] } }))
      .json();
    assert.equal(png.info, read.infotexts[0]);
    assert.equal(png.parameters["Seed"], "7");

    const sampler = await server.ask("/sdapi/v1/txt2img", { json: { sampler_name: "Nonsense" } });
    assert.equal(sampler.status, 400);
    assert.deepEqual(await sampler.json(), {
      error: "HTTPException",
      detail: "Sampler not found",
      body: "",
      errors: "",
    });
    const invalid = await server.ask("/sdapi/v1/txt2img", { json: { prompt: "a", steps: "many" } });
    assert.equal(invalid.status, 422);
    assert.deepEqual((await invalid.json()).detail[0].loc, ["body", "steps"]);
    const missing = await server.ask("/sdapi/v1/nothing");
    assert.deepEqual([missing.status, await missing.json()], [404, { detail: "Not Found" }]);
  });
});

Deno.test("png-info takes parameters apart as the web UI does, in time that their length asks for", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const parametersOf = async (parameters: string) => {
      const image = { data: new Uint8ClampedArray(12), width: 2, height: 2 };
      const png = encodePng(image, { text: { parameters } }).toBase64();
      return (await (await server.ask("/sdapi/v1/png-info", { json: { image: png } })).json())
        .parameters;
    };
    const list = 'Steps: 9, Hashes: {"vae": "a, b"}, Note: "a, \\"b\\": c", Size: 512x768';
    assert.deepEqual(
      await parametersOf(`Negative prompt: bad\r\nNegative prompt: worse\r\n${list}`),
      {
        "Prompt": "",
        "Negative prompt": "bad\nNegative prompt: worse",
        "Steps": "9",
        "Hashes": '{"vae": "a, b"}',
        "Note": 'a, "b": c',
        "Size": "512x768",
        "Size-1": "512",
        "Size-2": "768",
      },
    );
    const began = performance.now();
    await parametersOf(`1girl\nSteps: 9, ${"b".repeat(200_000)}`);
    assert(performance.now() - began < 5000);
  });
});

Deno.test("settings that are none are refused whatever protocol they came by, and jobs stay listed", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const requests = [
      ["/sdapi/v1/txt2img", { prompt: "a", cfg_scale: 1e308 }],
      ["/sdapi/v1/txt2img", { prompt: "a", cfg_scale: -1 }],
      ["/v1/images/generations", { prompt: "a", guidance_scale: 1e308 }],
      ["/v1/images/generations", { prompt: "a", seed: -7 }],
    ] as const;
    for (const [path, json] of requests) {
      const response = await server.ask(path, { json });
      assert([400, 422].includes(response.status), `${path} ${response.status}`);
      await response.body?.cancel();
    }
    const listed = await server.ask("/api/jobs");
    assert.deepEqual([listed.status, (await listed.json()).jobs], [200, []]);
  });
});

Deno.test("interrupt ends the run, and what was made is answered", async () => {
  await inTempFolder(async (folder) => {
    const studio = fakeStudio({ stepMilliseconds: 10 });
    await using server = await fakeServer(folder, { studio });
    const run = server.ask("/sdapi/v1/txt2img", { json: { prompt: "a", n_iter: 50 } });
    for (;;) {
      const { progress, state } = await (await server.ask("/sdapi/v1/progress")).json();
      if (state.job_no >= 1) {
        assert(progress > 0 && progress < 1);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await server.ask("/sdapi/v1/interrupt", { method: "POST" });
    const { images } = await (await run).json();
    assert(images.length >= 1 && images.length < 50);
  });
});
