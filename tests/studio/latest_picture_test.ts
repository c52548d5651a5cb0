import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { latestPicture } from "../../src/studio/latest_picture.ts";
import { inTempFolder } from "../_folders.ts";

Deno.test("the last picture is the one that was saved last, wherever it lies", async () => {
  await inTempFolder(async (folder) => {
    await assert.rejects(latestPicture(`${folder}/none`), RequestError);
    await Deno.mkdir(`${folder}/20260101`);
    const files = {
      "b.png": 3,
      "20260101/a.webp": 5,
      "c.png": 4,
      ".hidden.png": 9,
      "notes.txt": 9,
    };
    for (const [name, seconds] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, "");
      const time = new Date(Date.UTC(2026, 0, 1, 0, 0, seconds));
      await Deno.utime(`${folder}/${name}`, time, time);
    }
    assert.equal(await latestPicture(folder), `${folder}/20260101/a.webp`);
    // Somebody else's folder, in outputs that are shared. Root may read everywhere.
    await Deno.mkdir(`${folder}/theirs`, { mode: 0o000 });
    try {
      assert.equal(await latestPicture(folder), `${folder}/20260101/a.webp`);
    } finally {
      await Deno.chmod(`${folder}/theirs`, 0o700);
    }
  });
});
