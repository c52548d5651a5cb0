/** Pictures that are given, and what a page does with pictures that are there. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { decodePng, encodePng } from "../../src/image/mod.ts";
import { readRecipe, recipeText } from "../../src/recipe/mod.ts";
import { filesBelow, inTempFolder } from "../_folders.ts";
import { RECIPE } from "../recipe/_recipe.ts";
import { fakeServer } from "./_fake.ts";

type Server = Awaited<ReturnType<typeof fakeServer>>;

function plain(width: number, height: number, shade = 0): Uint8Array<ArrayBuffer> {
  const data = new Uint8ClampedArray(3 * width * height).fill(shade);
  return new Uint8Array(encodePng({ data, width, height }));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Gives a picture. */
async function give(server: Server, bytes: Uint8Array<ArrayBuffer>) {
  const response = await server.ask("/api/pictures", { method: "POST", body: bytes });
  assert.equal(response.status, 201);
  return await response.json();
}

/** Asks for a job and waits for its end. */
async function drawn(server: Server, json: unknown) {
  const response = await server.ask("/api/jobs", { json });
  const asked = await response.json();
  assert.equal(response.status, 201, JSON.stringify(asked));
  await server.queue.finished(asked.id);
  return await (await server.ask(`/api/jobs/${asked.id}`)).json();
}

Deno.test("a picture is given once, drawn from by its name, and named so in the job", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const bytes = plain(32, 48);
    const { name, width, height, isTransparent } = await give(server, bytes);
    assert.deepEqual([width, height, isTransparent], [32, 48, false]);
    assert.equal((await give(server, bytes)).name, name);
    const again = await server.ask(`/api/pictures/${name}`);
    assert.deepEqual(new Uint8Array(await again.arrayBuffer()), bytes);
    const job = await drawn(server, { prompt: "a", image: name, strength: 0.5, seed: "1" });
    assert.equal(job.state, "done");
    assert.deepEqual([job.request.image, job.request.strength], [name, 0.5]);
    // As it was told, it can be asked for again.
    assert.equal((await drawn(server, job.request)).state, "done");
    assert.equal(server.painted.requests[1]!.source!.image, `${server.root}/${name}`);
    // What was given is no picture of the gallery.
    const { pictures } = await (await server.ask("/api/gallery")).json();
    assert.equal(pictures.length, 2);
  });
});

Deno.test("pictures come as data URLs, as forms, and out of the gallery", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const url = `data:image/png;base64,${plain(16, 16).toBase64()}`;
    const first = await drawn(server, { prompt: "a", image: url });
    assert.match(first.request.image, /^\.given\/[0-9a-f]{64}\.png$/);
    const body = new FormData();
    body.append("request", JSON.stringify({ prompt: "b", mask_blur: 3 }));
    body.append("image", new Blob([plain(16, 16)]), "my own.png");
    body.append("mask", new Blob([plain(16, 16, 255)]), "mask.png");
    const asked = await server.ask("/api/jobs", { method: "POST", body });
    const second = await asked.json();
    assert.equal(asked.status, 201, JSON.stringify(second));
    assert.equal(second.request.image, first.request.image);
    assert.notEqual(second.request.mask, second.request.image);
    const { name } = first.pictures[0];
    assert.equal((await drawn(server, { prompt: "c", image: name })).request.image, name);
  });
});

Deno.test("what is given is refused where it is no picture, too large, or does not fit", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const nothing = await server.ask("/api/pictures", { method: "POST", body: "nothing" });
    assert.equal(nothing.status, 400);
    const [large, small] = [await give(server, plain(32, 32)), await give(server, plain(16, 16))];
    for (
      const [json, said] of [
        [{ mask: small.name }, /The mask is 16×16, but the picture is 32×32/],
        [{ expand: "left=99999,top=99999" }, /at most \d+/],
        [{ expand: "left=2048,top=2048" }, /at most 4194304/],
        [{ width: 16, height: 16, image: (await give(server, plain(4096, 1))).name }, undefined],
        [{ width: 2048, image: (await give(server, plain(1, 512))).name }, /at most \d+/],
        [{ image: `${large.name}/../../secret.png` }, /no picture of that name/],
      ] as const
    ) {
      const response = await server.ask("/api/jobs", {
        json: { prompt: "a", image: large.name, ...json },
      });
      const { error } = await response.json();
      assert.equal(response.status, said === undefined ? 201 : 400, JSON.stringify(json));
      if (said !== undefined) assert.match(error.message, said);
    }
    for (const name of ["../secret.png", "%2e%2e%2fsecret.png", ".given/..%2f..%2fsecret.png"]) {
      assert.equal((await server.ask(`/api/pictures/${name}`)).status, 404, name);
    }
  });
});

Deno.test("a grid gives its pictures and a sheet of them with the grid in its recipe", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const grid = "seed=1,2,3 steps=2,4";
    const described = await (await server.ask("/api/prompts/grid", { json: { grid } })).json();
    assert.deepEqual(described, {
      axes: [{ word: "seed", values: ["1", "2", "3"] }, { word: "steps", values: ["2", "4"] }],
      count: 6,
    });
    const job = await drawn(server, { prompt: "a", grid });
    assert.equal(job.count, 6);
    assert.equal(job.request.grid, grid);
    assert.deepEqual(
      server.painted.requests.map(({ generator, numInferenceSteps }) => [
        generator!.seed,
        numInferenceSteps,
      ]),
      [[1, 2], [2, 2], [3, 2], [1, 4], [2, 4], [3, 4]],
    );
    const sheet = await Deno.readFile(`${server.root}/${job.sheet.name}`);
    assert.equal(readRecipe(sheet).grid, grid);
    const { image } = decodePng(sheet);
    assert.deepEqual([image.width, image.height], [job.sheet.width, job.sheet.height]);
    // The fake studio's pictures are as grey as their seed: each stands in its own column.
    const greys = new Set(image.data);
    for (const grey of [1, 2, 3]) assert(greys.has(grey), `${grey}`);
  });
});

Deno.test("of a variation the seed stays, and the other one goes on", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const words = { seed: "5", variation_strength: 0.1, variation_seed: "8" };
    await drawn(server, { prompt: "a", count: 2, ...words });
    assert.deepEqual(
      server.painted.requests.map(({ generator, variation }) => [
        generator!.seed,
        variation!.seed,
      ]),
      [[5, 8], [5, 9]],
    );
  });
});

Deno.test("presets are written, read, used, and removed; none outside of their folder", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const put = (name: string, preset: unknown) =>
      server.ask(`/api/presets/${encodeURIComponent(name)}`, {
        method: "PUT",
        body: JSON.stringify(preset),
      });
    const soft = { description: "soft light", suffix: "watercolor", steps: 7 };
    assert.equal((await put("柔和 soft", soft)).status, 200);
    const listed = await (await server.ask("/api/presets")).json();
    assert.deepEqual(listed.presets, [
      { name: "柔和 soft", description: "soft light", isEditable: true },
    ]);
    const path = `/api/presets/${encodeURIComponent("柔和 soft")}`;
    assert.deepEqual(await (await server.ask(path)).json(), {
      name: "柔和 soft",
      description: "soft light",
      settings: { steps: 7 },
      prefix: "",
      suffix: "watercolor",
      isEditable: true,
    });
    const job = await drawn(server, { prompt: "a cat", preset: "柔和 soft" });
    assert.deepEqual([job.request.prompt, job.request.steps], ["a cat, watercolor", 7]);
    for (
      const name of [
        "../x",
        "a/b",
        "a\\b",
        "con",
        "x.json",
        ".hidden",
        " ",
        "a\0b",
        "a".repeat(200),
      ]
    ) {
      assert(((await put(name, soft)).status & ~4) === 400, name);
    }
    assert.equal((await put("wrong", { stepz: 7 })).status, 400);
    await Deno.writeTextFile(`${folder}/presets/many.json`, '[{"name":"one","steps":3}]');
    assert.equal((await put("one", soft)).status, 400);
    assert.equal((await server.ask("/api/presets/one", { method: "DELETE" })).status, 400);
    assert.equal((await server.ask(path, { method: "DELETE" })).status, 200);
    assert.equal((await server.ask(path, { method: "DELETE" })).status, 404);
    assert.deepEqual(filesBelow(folder).filter((path) => path.endsWith(".json")), [
      `${folder}/presets/many.json`,
    ]);
  });
});

Deno.test("favourites are kept beside the pictures, and follow them into the bin and back", async () => {
  await inTempFolder(async (folder) => {
    await using first = await fakeServer(folder);
    await using second = await fakeServer(folder);
    const { pictures } = await drawn(first, { prompt: "a", count: 3 });
    const names: string[] = pictures.map(({ name }: { name: string }) => name);
    const mark = (server: Server, marked: readonly string[], isFavourite = true) =>
      server.ask("/api/gallery/favourites", { json: { names: marked, isFavourite } });
    const favourites = async (server: Server) => {
      server.gallery.refresh();
      const page = await (await server.ask("/api/gallery?favourites=1")).json();
      return page.pictures.map(({ name }: { name: string }) => name).sort();
    };
    const changed = await (await mark(first, [names[0]!, names[0]!, "../nothing.png"])).json();
    assert.deepEqual(changed, { changed: 1 });
    await mark(second, [names[1]!]);
    assert.deepEqual(await favourites(first), [names[0], names[1]].sort());
    // Half of a line, as a process leaves it that is killed.
    const file = `${first.root}/.favourites.jsonl`;
    await Deno.writeTextFile(file, '{"name": "half', { append: true });
    await mark(first, [names[2]!]);
    await mark(second, [names[1]!], false);
    assert.deepEqual(await favourites(second), [names[0], names[2]].sort());

    const binned = await (await first.ask(`/api/gallery/file/${names[0]}`, { method: "DELETE" }))
      .json();
    assert.deepEqual(await favourites(second), [names[2]]);
    const bin = await (await first.ask("/api/gallery/bin")).json();
    assert.equal(bin.pictures[0].name, names[0]);
    await first.ask("/api/gallery/restore", { json: binned });
    assert.deepEqual(await favourites(second), [names[0], names[2]].sort());
    await first.ask(`/api/gallery/file/${names[2]}`, { method: "DELETE" });
    const emptied = await (await first.ask("/api/gallery/bin", { method: "DELETE" })).json();
    assert.deepEqual(emptied, { deleted: 1 });
  });
});

Deno.test("marks are written into no file that a link leads to, and no pipe is waited for", async () => {
  if (Deno.build.os === "windows") return;
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const job = server.queue.add({ request: { prompt: "a" } });
    await server.queue.finished(job.id);
    const names = server.queue.job(job.id)!.pictures.map(({ name }) => name);
    const file = `${server.root}/.favourites.jsonl`;
    const mark = async () =>
      await server.ask("/api/gallery/favourites", { json: { names, isFavourite: true } });
    await Deno.writeTextFile(`${folder}/other`, "other\n");
    await Deno.symlink(`${folder}/other`, file);
    const refused = await mark();
    assert.match((await refused.json()).error.message, /is no plain file.* Move it away/);
    assert.equal(await Deno.readTextFile(`${folder}/other`), "other\n");
    await Deno.remove(file);
    await new Deno.Command("mkfifo", { args: [file] }).output();
    assert.equal((await (await server.ask("/api/gallery")).json()).pictures.length, 1);
    assert.equal((await mark()).ok, false);
    await Deno.remove(file);
    assert.equal((await (await mark()).json()).changed, 1);
  });
});

Deno.test("a form can be made of the settings: each has its group, and what is there to choose", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const { settings } = await (await server.ask("/api/settings")).json();
    const of = (word: string) =>
      settings.find((setting: { word: string }) => setting.word === word) ?? {};
    assert.equal(of("resize").group, "picture");
    assert.equal(of("steps").group, "sampling");
    assert.deepEqual(of("hires_upscaler").schema.enum.slice(0, 2), ["lanczos", "latent"]);
    assert.deepEqual(of("image"), {});
  });
});

Deno.test("a recipe says what it was drawn from, and what of that is gone", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const [image, mask] = [plain(32, 48), plain(32, 48, 255)];
    const [given, givenMask] = [await give(server, image), await give(server, mask)];
    const recipe = {
      ...RECIPE,
      width: 48,
      height: 48,
      strength: 0.5,
      maskBlur: 4,
      source: { image: `${server.root}/${given.name}`, mask: "elsewhere.png", expand: "left=16" },
      pictures: { image: sha256(image), mask: sha256(mask), width: 32 },
      adapters: [{ name: "style", weight: 0.8, textWeight: 0.5, sha256: "0".repeat(64) }],
    };
    const data = new Uint8ClampedArray(3 * 48 * 48);
    const drawn = new Uint8Array(
      encodePng({ data, width: 48, height: 48 }, { text: recipeText(recipe) }),
    );
    const said = async () =>
      await (await server.ask("/api/recipe", { method: "POST", body: drawn })).json();
    const { settings, missing, hashes } = await said();
    // The mask is known by its content; the size is the one before the picture grew.
    assert.deepEqual([settings.image, settings.mask], [given.name, givenMask.name]);
    assert.deepEqual([settings.width, settings.height, settings.expand], [
      32,
      undefined,
      "left=16",
    ]);
    assert.deepEqual([settings.lora, missing], [["style:0.5:0.8"], []]);
    assert.equal(hashes.image, sha256(image));

    await Deno.remove(`${server.root}/${givenMask.name}`);
    const alone = await said();
    assert.deepEqual([alone.settings.image, alone.settings.mask], [given.name, undefined]);
    assert.deepEqual(alone.missing, ["mask"]);
    await Deno.remove(`${server.root}/${given.name}`);
    assert.deepEqual((await said()).missing, ["image", "mask"]);

    // AUTOMATIC1111 names no picture, but says how strongly it was drawn anew.
    const parameters = "1girl\nSteps: 20, Seed: 1, Size: 32x32, Denoising strength: 0.4";
    for (
      const [text, gone] of [[parameters, ["image"]], [
        `${parameters}, Hires upscale: 2`,
        [],
      ]] as const
    ) {
      const body = new Uint8Array(
        encodePng({ data, width: 48, height: 48 }, { text: { parameters: text } }),
      );
      const foreign = await (await server.ask("/api/recipe", { method: "POST", body })).json();
      assert.deepEqual(foreign.missing, gone, JSON.stringify(foreign));
    }
  });
});

Deno.test("pictures come back out of the bin under their names, whatever those are", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const names = ["a~b.png", "~.png", "50%7E ~ 100%.png", "of ~ folder/a%25~.png", "~~/~a/b~.png"];
    for (const name of names) {
      await Deno.mkdir(dirname(`${server.root}/${name}`), { recursive: true });
      await Deno.writeFile(`${server.root}/${name}`, plain(16, 16));
    }
    const address = (name: string) =>
      `/api/gallery/file/${name.split("/").map(encodeURIComponent).join("/")}`;
    const binned = [];
    for (const name of names) {
      binned.push(await (await server.ask(address(name), { method: "DELETE" })).json());
    }
    const bin = await (await server.ask("/api/gallery/bin")).json();
    assert.deepEqual(bin.pictures.map(({ name }: { name: string }) => name).sort(), names.sort());
    for (const one of binned) await server.ask("/api/gallery/restore", { json: one });
    assert.deepEqual(
      filesBelow(server.root).filter((path) => path.endsWith(".png"))
        .map((path) => path.slice(server.root.length + 1)).sort(),
      names.sort(),
    );
  });
});

Deno.test("the size in which a picture will be drawn is told before it is drawn", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    // The fake model was trained for 16 pixels, and draws multiples of 16.
    const { name: image } = await give(server, plain(20, 16));
    const sizeOf = async (words: object) =>
      await (await server.ask("/api/pictures/size", { json: { image, ...words } })).json();
    const inside = (left: number, top: number, width: number, height: number) => ({
      place: { left, top, width, height },
    });
    assert.deepEqual(await sizeOf({}), { width: 16, height: 16, ...inside(0, 0, 16, 16) });
    assert.deepEqual(await sizeOf({ width: 48, height: 32 }), {
      width: 48,
      height: 32,
      ...inside(0, 0, 48, 32),
    });
    assert.deepEqual(await sizeOf({ expand: "left=1,bottom=20" }), {
      width: 32,
      height: 48,
      ...inside(16, 0, 16, 16),
    });
    assert.deepEqual(await sizeOf({ only_masked: 4, width: 64, height: 64 }), {
      width: 20,
      height: 16,
      ...inside(0, 0, 20, 16),
    });
    for (const words of [{ image: "nothing.png" }, { expand: "left=99999,top=99999" }]) {
      assert.match((await sizeOf(words)).error.message, /no picture of that name|at most/);
    }
  });
});
