/** Pictures in the bin, over HTTP. */
import assert from "node:assert/strict";
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
