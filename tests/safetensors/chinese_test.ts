/** What a person reads in Chinese of damaged files, word for word; header_test.ts has all cases. */
import assert from "node:assert/strict";
import { openWeights, RowReader, SafetensorsError } from "../../src/safetensors/mod.ts";
import { inTempFolder } from "../_folders.ts";
import { saysSameInChinese } from "../_languages.ts";
import { fileBytes } from "./_writer.ts";

const AGAIN = "文件已损坏或写入有误：请重新下载或导出。";
const FOUR = new Uint8Array(4);
const SCALAR = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';

const DAMAGED: Readonly<Record<string, Uint8Array>> = {
  [
    "前 8 字节说文件头有 7 字节，但后面只有 6 字节。" +
    "文件不完整，或者不是 safetensors 文件：请重新下载。"
  ]: fileBytes("{}", FOUR, 7n),
  [`文件头，文件的第 9 字节：应为带双引号的名字，实际是 \`a\`。${AGAIN}`]: fileBytes("{a:1}"),
  [
    `张量 "a"（文件的第 62 到 66 字节）超出了文件，文件只有 64 字节。` +
    "文件不完整或已损坏：请重新下载。"
  ]: fileBytes(SCALAR, FOUR.subarray(0, 2)),
  [`张量 "a"：dtype F32 和形状 [1] 需要 4 字节，而 data_offsets [0, 8] 是 8 字节。${AGAIN}`]:
    fileBytes(SCALAR.replace("4]", "8]"), new Uint8Array(8)),
};

/** What opening a path says in Chinese, without the path. */
async function chineseOf(path: string, open: () => Promise<unknown>): Promise<string> {
  const error = await open().then(() => undefined, (error: unknown) => error);
  assert(error instanceof SafetensorsError, String(error));
  assert(saysSameInChinese(error), error.explain("zh"));
  const message = error.explain("zh");
  assert(message.startsWith(`${path}：`), message);
  return message.slice(path.length + 1);
}

Deno.test("damaged files are explained in Chinese", async () => {
  await inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    for (const [message, bytes] of Object.entries(DAMAGED)) {
      await Deno.writeFile(path, bytes);
      assert.equal(await chineseOf(path, () => openWeights(folder)), message);
    }
  });
});

Deno.test("a tensor in a dtype of no weight is explained in Chinese", async () => {
  await inTempFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await Deno.writeFile(path, fileBytes(SCALAR.replace("F32", "I32"), FOUR));
    const { unusable } = await openWeights(folder);
    assert.equal(
      await chineseOf(path, () => Promise.reject(unusable.get("a"))),
      '权重必须是 F32、F16、BF16、F8_E4M3、F8_E5M2 或带缩放系数的 I8，但张量 "a" 是 I32。请使用这几种 dtype 的模型，或转换这一个。',
    );
  });
});

Deno.test("folders, indices and rows are explained in Chinese", async () => {
  await inTempFolder(async (folder) => {
    assert.equal(
      await chineseOf(folder, () => openWeights(folder)),
      "没有 model.safetensors、diffusion_pytorch_model.safetensors，" +
        "也没有索引（*.safetensors.index.json）。",
    );
    const absent = `${folder}/absent`;
    assert.equal(
      await chineseOf(absent, () => openWeights(absent)),
      "无法读取：没有这个文件或文件夹。",
    );

    const index = `${folder}/model.safetensors.index.json`;
    await Deno.writeTextFile(index, '{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}');
    assert.equal(
      await chineseOf(index, () => openWeights(folder)),
      '"model.safetensors.index.json" 旁边应有 2 个分片，缺少 2 个：' +
        '"1.safetensors"、"2.safetensors"。请下载到同一个文件夹。',
    );
    for (const name of ["1", "2"]) {
      await Deno.writeFile(`${folder}/${name}.safetensors`, fileBytes(SCALAR, FOUR));
    }
    const { unusable } = await openWeights(folder);
    const said = (tensor: string) => chineseOf(index, () => Promise.reject(unusable.get(tensor)));
    assert.equal(
      await said("a"),
      '索引与分片不配套，因为张量 "a" 同时在 "1.safetensors" 和 "2.safetensors" 里；请全部重新下载。',
    );
    assert.equal(
      await said("b"),
      '索引与分片不配套，因为张量 "b" 不在 "2.safetensors" 里，而索引说它在那里；请全部重新下载。',
    );

    const { tensors } = await openWeights(`${folder}/1.safetensors`);
    await using reader = await RowReader.open(tensors.get("a")!);
    const { file } = tensors.get("a")!;
    assert.equal(
      await chineseOf(file, () => reader.read([7])),
      '张量 "a" 有 1 行，从 0 数起，但要读的是第 7 行。如果行是 token 的编号，' +
        "那么分词器与这些权重不配套。",
    );
  });
});
