/** Pictures in the bin, over HTTP. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { encodePng } from "../../src/image/mod.ts";
import { temporaryFolder } from "../_folders.ts";
import { fakeServer } from "./_fake.ts";

Deno.test("a picture in the bin can be looked at, and nothing else can by its address", async () => {
  await using folder = await temporaryFolder();
  await using server = await fakeServer(folder.path);
  const { id } = await (await server.ask("/api/jobs", { json: { prompt: "1girl" } })).json();
  await (await server.ask(`/api/jobs/${id}/events`)).text();
  const [{ name }] = (await (await server.ask("/api/gallery")).json()).pictures;
  const bytes = await (await server.ask(`/api/gallery/file/${name}`)).bytes();
  const answer = await server.ask(`/api/gallery/file/${name}`, { method: "DELETE" });
  const { binned } = await answer.json();
  const inBin = await server.ask(`/api/gallery/bin/${encodeURIComponent(binned)}`);
  assert.equal(inBin.headers.get("Content-Type"), "image/png");
  assert.deepEqual(await inBin.bytes(), bytes);

  await Deno.writeTextFile(`${server.root}/.bin/secret.txt`, "secret");
  await Deno.symlink("/etc/hostname", `${server.root}/.bin/1-00000000~link.png`);
  for (
    const other of [
      "secret.txt",
      "1-00000000~link.png",
      `..%2F${encodeURIComponent(name)}`,
      `.%2F${encodeURIComponent(binned)}`,
      "1-00000000~none.png",
      "1-00000000~..~.favourites.jsonl",
    ]
  ) {
    assert.equal((await server.ask(`/api/gallery/bin/${other}`)).status, 404, other);
  }
});

Deno.test("a picture whose name is as long as names may be goes into the bin, and comes back by most of it", async () => {
  await using folder = await temporaryFolder();
  await using server = await fakeServer(folder.path);
  const picture = encodePng({ data: new Uint8ClampedArray(12), width: 2, height: 2 });
  const names: Readonly<Record<string, string>> = {
    // 255 bytes; 23 and a ~ for each slash stand before a name in the bin.
    [`20260105/${"a".repeat(251)}.png`]: `20260105/${"a".repeat(219)}.png`,
    [`20260105/${"猫".repeat(83)}.webp`]: `20260105/${"猫".repeat(72)}.webp`,
    [`${"d".repeat(250)}/${"~%".repeat(30)}.png`]: `${"d".repeat(113)}/${"~%".repeat(19)}.png`,
    [`${"e/".repeat(130)}short.png`]: `${"e/".repeat(113)}s.png`,
  };
  for (const [name, expected] of Object.entries(names)) {
    const path = `${server.root}/${name}`;
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeFile(path, picture);
    await server.ask("/api/gallery");
    const at = `/api/gallery/file/${name.split("/").map(encodeURIComponent).join("/")}`;
    const answer = await server.ask(at, { method: "DELETE" });
    assert.equal(answer.status, 200, await answer.clone().text());
    const { binned } = await answer.json();
    assert(new TextEncoder().encode(binned).length <= 255);
    const restored = await server.ask("/api/gallery/restore", { json: { binned } });
    assert.equal((await restored.json()).name, expected);
    assert.deepEqual(await Deno.readFile(`${server.root}/${expected}`), picture);
  }
});
