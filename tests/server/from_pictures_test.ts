/**
 * Drawing from pictures by the other protocols: meanings of OpenAI's API reference (a mask is
 * transparent where it is drawn) and of AUTOMATIC1111's processing.py (white, or opaque).
 */
import assert from "node:assert/strict";
import { decodePng, encodePng } from "../../src/image/mod.ts";
import type { PictureRequest } from "../../src/studio/request.ts";
import { inTempFolder } from "../_folders.ts";
import { rgbaPng } from "../_rgba_png.ts";
import { fakeServer } from "./_fake.ts";

type Server = Awaited<ReturnType<typeof fakeServer>>;
const SIZE = 32;

/** A picture whose left half has one value and whose right half another. */
function halves(left: number, right: number, size = SIZE): Uint8Array<ArrayBuffer> {
  const data = Uint8ClampedArray.from(
    { length: 3 * size * size },
    (_, at) => Math.floor(at / 3) % size < size / 2 ? left : right,
  );
  return new Uint8Array(encodePng({ data, width: size, height: size }));
}

/** The grey of a pixel of the middle row. */
function greyAt(png: Uint8Array, x: number): number {
  const { image: { data, width, height } } = decodePng(png);
  return data[3 * (Math.floor(height / 2) * width + x)]!;
}

async function img2img(server: Server, json: object) {
  const response = await server.ask("/sdapi/v1/img2img", {
    json: { prompt: "a", width: SIZE, height: SIZE, steps: 4, inpainting_fill: 1, ...json },
  });
  return { status: response.status, body: await response.json() };
}

async function lastRequest({ painted }: Server): Promise<{
  readonly request: PictureRequest;
  readonly image: Uint8Array;
  readonly mask: Uint8Array | undefined;
}> {
  const request = painted.requests.at(-1)!;
  const { image, mask } = request.source!;
  return {
    request,
    image: await Deno.readFile(image!),
    mask: mask === undefined ? undefined : await Deno.readFile(mask),
  };
}

Deno.test("img2img draws from the first picture, with the strength that is asked for", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const init = halves(10, 200).toBase64();
    const { body } = await img2img(server, { init_images: [init], denoising_strength: 0.4 });
    assert.equal(body.images.length, 1);
    assert.equal(body.parameters.init_images, null);
    assert.equal(JSON.parse(body.info).denoising_strength, 0.4);
    const { request, image } = await lastRequest(server);
    assert.deepEqual([request.strength, greyAt(image, 0), greyAt(image, 31)], [0.4, 10, 200]);
    assert.equal(request.source!.mask, undefined);
    const named = { init_images: [`data:image/png;base64,${init}`], include_init_images: true };
    const { body: second } = await img2img(server, named);
    assert.equal(second.parameters.init_images.length, 1);
    assert.equal((await lastRequest(server)).request.strength, 0.75);

    // Just resized: another shape is stretched.
    await img2img(server, { init_images: [init], width: 64, height: 16 });
    const { image: stretched } = decodePng((await lastRequest(server)).image);
    assert.deepEqual([stretched.width, stretched.height], [64, 16]);
    await img2img(server, { init_images: [init], width: 64, resize_mode: 2 });
    assert.equal((await lastRequest(server)).request.source!.resize, "pad");
  });
});

Deno.test("img2img's mask is white where it draws, or opaque, and can be inverted", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const init_images = [halves(10, 200).toBase64()];
    const masked = { init_images, mask: halves(0, 255).toBase64(), inpaint_full_res: false };
    await img2img(server, masked);
    const plain = await lastRequest(server);
    assert.deepEqual([greyAt(plain.mask!, 0), greyAt(plain.mask!, 31)], [0, 255]);
    assert.equal(plain.request.maskBlur, 4);
    await img2img(server, { ...masked, inpainting_mask_invert: 1, mask_blur: 0 });
    const inverted = await lastRequest(server);
    assert.deepEqual([greyAt(inverted.mask!, 0), greyAt(inverted.mask!, 31)], [255, 0]);
    assert.equal(inverted.request.maskBlur, 0);
    // What is to be drawn gets the colours around it, and the rest stays as it was.
    await img2img(server, { ...masked, inpainting_fill: 0 });
    const filled = await lastRequest(server);
    assert.deepEqual([greyAt(filled.image, 0), greyAt(filled.image, 31)], [10, 10]);
    // Of an alpha that is full everywhere, only the colours say anything.
    const opaque = rgbaPng(SIZE, (x) => x < SIZE / 2 ? [0, 0, 0, 255] : [255, 255, 255, 255]);
    await img2img(server, { ...masked, mask: opaque.toBase64() });
    const coloured = await lastRequest(server);
    assert.deepEqual([greyAt(coloured.mask!, 0), greyAt(coloured.mask!, 31)], [0, 255]);
    // Only masked is that API's default.
    await img2img(server, { ...masked, inpaint_full_res: undefined, inpaint_full_res_padding: 32 });
    assert.equal((await lastRequest(server)).request.source!.onlyMasked, 32);
  });
});

Deno.test("a mask that marks nothing is refused in the words of who made it", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const init_images = [halves(10, 200).toBase64()];
    const refusal = async (value: number, more: object = {}) => {
      const mask = halves(value, value).toBase64();
      const { status, body } = await img2img(server, { init_images, mask, ...more });
      assert.equal(status, 400);
      return body.errors;
    };
    assert.match(await refusal(0), /black everywhere.*white is what is drawn/);
    assert.match(
      await refusal(255, { inpainting_mask_invert: 1 }),
      /white everywhere and inverted/,
    );
  });
});

Deno.test("what img2img cannot do is refused by its name", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const init_images = [halves(0, 0).toBase64()];
    const mask = init_images[0];
    for (
      const [json, status, said] of [
        [{}, 404, /Init image not found/],
        [{ init_images: ["nonsense!"] }, 500, /Invalid encoded image/],
        [{ init_images: [...init_images, ...init_images] }, 422, /init_images/],
        [{ init_images, resize_mode: 3 }, 422, /resize_mode/],
        [{ init_images, mask, inpainting_fill: 2 }, 422, /inpainting_fill/],
        [{ init_images, denoising_strength: 2 }, 422, /denoising_strength is 2/],
        [{ init_images, script_name: "loopback" }, 422, /Script 'loopback' not found/],
        [{ init_images, sampler_name: "Nonsense" }, 400, /Sampler not found/],
      ] as const
    ) {
      const { status: found, body } = await img2img(server, json);
      assert.equal(found, status, JSON.stringify(body));
      assert.match(body.detail, said);
    }
    assert.equal(server.painted.requests.length, 0);
  });
});

Deno.test("txt2img draws twice with enable_hr, and knows variations, styles and schedules", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    await Deno.mkdir(`${folder}/presets`);
    await Deno.writeTextFile(
      `${folder}/presets/soft.json`,
      '{"suffix":"soft light","negative":"sharp","steps":99}',
    );
    const styles = await (await server.ask("/sdapi/v1/prompt-styles")).json();
    assert.deepEqual(styles, [
      { name: "soft", prompt: "{prompt}, soft light", negative_prompt: "sharp" },
    ]);
    const asked = async (json: object) => {
      const response = await server.ask("/sdapi/v1/txt2img", {
        json: { prompt: "a", negative_prompt: "b", width: 32, height: 32, steps: 4, ...json },
      });
      const body = await response.json();
      assert.equal(response.status, 200, JSON.stringify(body));
      return { request: server.painted.requests.at(-1)!, info: JSON.parse(body.info) };
    };
    const { request, info } = await asked({
      enable_hr: true,
      hr_scale: 1.5,
      hr_upscaler: "Latent (bicubic)",
      hr_second_pass_steps: 3,
      denoising_strength: 0.6,
      styles: ["soft", "not here"],
      seed: -1,
      subseed: 9,
      subseed_strength: 0.2,
      sampler_name: "DPM++ 2M Karras",
      scheduler: "Simple",
      alwayson_scripts: { controlnet: { args: [] } },
      override_settings: {
        sd_model_checkpoint: "newbie-image-exp0.1",
        CLIP_stop_at_last_layers: 2,
      },
    });
    assert.deepEqual(request.hires, { scale: 1.5, strength: 0.6, upscaler: "latent", steps: 3 });
    assert.equal(request.prompt, "a, soft light");
    assert.equal(request.negativePrompt, "b, sharp");
    assert.equal(request.numInferenceSteps, 4);
    assert.deepEqual(request.variation, { strength: 0.2, seed: 9 });
    assert.deepEqual(request.scheduler, { name: "dpm-solver++", schedule: "simple" });
    assert.deepEqual([info.subseed, info.subseed_strength, info.denoising_strength], [9, 0.2, 0.6]);
    for (const name of ["Euler a", "k_euler_a", "k_dpmpp_2m", "k_dpm_2_a", "DDIM"]) {
      await asked({ sampler_name: name });
    }
    const resized = await asked({ enable_hr: true, hr_resize_x: 64, hr_upscaler: "Lanczos" });
    assert.deepEqual(resized.request.hires, { scale: 2, strength: 0.75, upscaler: "lanczos" });
    const unknown = await server.ask("/sdapi/v1/txt2img", {
      json: { prompt: "a", enable_hr: true, hr_upscaler: "SwinIR 4x" },
    });
    assert.match((await unknown.json()).detail, /could not find upscaler named "SwinIR 4x"/);
  });
});

async function edit(server: Server, files: Record<string, Uint8Array<ArrayBuffer>[]>, more = {}) {
  const body = new FormData();
  for (const [name, value] of Object.entries({ prompt: "a", seed: "3", ...more })) {
    body.append(name, String(value));
  }
  for (const [name, all] of Object.entries(files)) {
    for (const bytes of all) body.append(name, new Blob([bytes], { type: "image/png" }), "a.png");
  }
  const response = await server.ask("/v1/images/edits", { method: "POST", body });
  return { status: response.status, body: await response.json() };
}

/** White, opaque on the left and transparent on the right; a PNG as its specification has it. */
const halfTransparent = () => rgbaPng(SIZE, (x) => [255, 255, 255, x < SIZE / 2 ? 255 : 0]);

Deno.test("an edit draws where OpenAI's mask is transparent", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const image = [halves(10, 200)];
    const mask = [halfTransparent()];
    const masked = await edit(server, { image, mask }, { n: 2, steps: 5, size: "32x32" });
    assert.equal(masked.body.data.length, 2);
    const first = await lastRequest(server);
    assert.deepEqual([greyAt(first.mask!, 0), greyAt(first.mask!, 31)], [0, 255]);
    assert.deepEqual([first.request.strength, first.request.numInferenceSteps], [1, 5]);
    await edit(server, { "image[]": image }, { strength: 0.3 });
    const second = await lastRequest(server);
    assert.deepEqual([second.request.strength, second.mask], [0.3, undefined]);
    await edit(server, { image: mask });
    assert.equal((await lastRequest(server)).request.source!.alphaMask, true);
    // A canvas gives every picture an alpha.
    await edit(server, { image: [rgbaPng(SIZE, () => [90, 90, 90, 255])] }, { seed: "-1" });
    const opaque = await lastRequest(server);
    assert.equal(opaque.request.source!.alphaMask, undefined);
    assert(BigInt(opaque.request.generator!.seed!) >= 0n);
    const linked = await edit(server, { image }, { response_format: "url" });
    assert.equal((await server.ask(new URL(linked.body.data[0].url).pathname)).status, 200);
  });
});

Deno.test("an edit that cannot be made is refused in OpenAI's form", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const image = [halves(10, 200)];
    for (
      const [files, more, said] of [
        [{}, {}, /image holds 0 pictures/],
        [{ "image[]": [...image, ...image] }, {}, /image holds 2 pictures; .* draws from one/],
        [{ image }, { n: 11 }, / n: Too big/],
        [{ image }, { prompt: "" }, /empty/],
        [{ image: [new Uint8Array([1, 2, 3])] }, {}, /picture/],
        [{ image, mask: image }, {}, /mask is transparent nowhere/],
      ] as const
    ) {
      const { status, body } = await edit(server, { ...files } as never, more);
      assert.equal(status, 400, JSON.stringify(body));
      assert.equal(body.error.type, "invalid_request_error");
      assert.match(body.error.message, said);
    }
    const json = await server.ask("/v1/images/edits", { json: { prompt: "a" } });
    assert.match((await json.json()).error.message, /multipart\/form-data/);
    const missing = await server.ask("/v1/chat/completions", { json: {} });
    assert.deepEqual([missing.status, (await missing.json()).error.code], [404, "unknown_url"]);
  });
});

Deno.test("a picture that a job's form has as text is not passed over", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const body = new FormData();
    body.append("request", JSON.stringify({ prompt: "a" }));
    body.append("image", "girl.png");
    const response = await server.ask("/api/jobs", { method: "POST", body });
    assert.equal(response.status, 400);
    assert.match((await response.json()).error.message, /has the text "image": expected request/);
    assert.deepEqual(server.queue.jobs, []);
  });
});
