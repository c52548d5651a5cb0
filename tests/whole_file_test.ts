import assert from "node:assert/strict";
import { join } from "node:path";
import { reasonOf } from "../src/system_reason.ts";
import { readWhole, UnfitFileError } from "../src/whole_file.ts";
import { temporaryFolder } from "./_folders.ts";

Deno.test("a file is read to its end, and no further than it may be", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "file");
  const bytes = new Uint8Array(3_000_001).map((_, index) => index * 31);
  await Deno.writeFile(path, bytes);
  assert.deepEqual(await readWhole(path), bytes);
  assert.deepEqual(await readWhole(path, { most: bytes.length }), bytes);
  await assert.rejects(readWhole(path, { most: bytes.length - 1 }), UnfitFileError);
});

Deno.test({
  name: "devices are refused, and pipes where nobody named them; a pipe is read to its end",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "pipe");
    await new Deno.Command("mkfifo", { args: [path] }).output();
    for (const refused of [path, "/dev/zero"]) {
      const error = await readWhole(refused).catch((error) => error);
      assert.match(reasonOf(error).en, /^it is a pipe, a device or a socket/);
    }
    const bytes = new Uint8Array(2_500_000).map((_, index) => index * 7);
    const writing = Deno.writeFile(path, bytes);
    assert.deepEqual(await readWhole(path, { mayBePipe: true }), bytes);
    await writing;
    const endless = new Deno.Command("sh", { args: ["-c", `exec yes > "${path}"`] }).spawn();
    await assert.rejects(readWhole(path, { mayBePipe: true, most: 1e6 }), /larger than/);
    await endless.status;
  },
});

Deno.test("a folder and a file that is missing are told of as the system does", async () => {
  await using folder = await temporaryFolder();
  const said = async (path: string) => reasonOf(await readWhole(path).catch((error) => error)).en;
  assert.match(await said(folder.path), /a folder/);
  assert.match(await said(join(folder.path, "none")), /no such file/);
});
