import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { RequestError } from "../../src/errors.ts";
import { DTYPE_POLICIES } from "../../src/onnx/mod.ts";
import { findUpscaler, upscalerNames } from "../../src/pipeline/find_upscaler.ts";
import { Upscaler } from "../../src/pipeline/parts/upscaler.ts";
import { SafetensorsError } from "../../src/safetensors/mod.ts";
import { fixture } from "../_fixtures.ts";
import { inTempFolder } from "../_folders.ts";

const sums = async (name: string) => {
  const file = `${fixture(`upscaler/${name}`)}/model.safetensors`;
  const sha256 = createHash("sha256").update(await Deno.readFile(file)).digest("hex");
  return { file, sha256 };
};

Deno.test("an upscaler is found by its checksum before its name, and another of the name is told", async () => {
  const [anime, other] = [await sums("rrdb_x4"), await sums("srvgg_x2_bf16")];
  await inTempFolder(async (folder) => {
    const find = (name: string, sha256?: string) => findUpscaler(name, { folder, sha256 });
    await Deno.copyFile(anime.file, `${folder}/anime.safetensors`);
    await Deno.copyFile(other.file, `${folder}/other.sft`);
    await Deno.writeTextFile(`${folder}/.hidden.safetensors`, "");
    assert.deepEqual(await upscalerNames(folder), ["anime", "other"]);

    const [first, second] = [
      { name: "anime", file: `${folder}/anime.safetensors` },
      { name: "other", file: `${folder}/other.sft` },
    ];
    assert.deepEqual(await find("anime"), first);
    assert.deepEqual(await find("anime.safetensors"), first);
    assert.deepEqual(await find("other"), second);
    assert.deepEqual(await find("anime", anime.sha256), first);
    assert.deepEqual(await find("renamed", anime.sha256), first);
    assert.deepEqual(await find("anime", other.sha256), second);
    assert.deepEqual(await find("anime", "0".repeat(64)), { ...first, isOther: true });
    // Of a file elsewhere, the folder is nobody's business.
    const { name, file } = await findUpscaler(`${folder}/other.sft`);
    assert.deepEqual([name, file], ["other.sft", `${folder}/other.sft`]);

    for (const sha256 of [undefined, "0".repeat(64)]) {
      await assert.rejects(find("gone", sha256), (error) => {
        assert(error instanceof RequestError);
        assert.match(error.message, /upscaler "gone"/);
        assert.match(error.explain("zh"), /放大器 "gone"/);
        return true;
      });
    }
  });
});

Deno.test("an upscaler that is a pickle is found by its name and refused for what it is", async () => {
  await inTempFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/4x-AnimeSharp.pth`, "PK");
    for (const name of ["4x-AnimeSharp", "4x-AnimeSharp.pth", `${folder}/4x-AnimeSharp.pth`]) {
      const { file } = await findUpscaler(name, { folder });
      await assert.rejects(Upscaler.open(file, DTYPE_POLICIES.cpu), (error) => {
        assert(error instanceof SafetensorsError);
        assert.match(error.message, /4x-AnimeSharp\.pth.*is a pickle.*convert it/);
        assert.match(error.explain("zh"), /pickle 文件.*转换/);
        return true;
      });
    }
  });
});
