/** npm's clients of OpenAI's API against a server: its address is the argument. */
import assert from "node:assert/strict";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateImage } from "ai";
import OpenAI from "openai";

const [url] = Deno.args as [string];
const MODEL = "newbie-image-exp0.1";

const openai = new OpenAI({ baseURL: `${url}v1`, apiKey: "none" });
const models = await openai.models.list();
assert.deepEqual(models.data.map(({ id }) => id), [MODEL]);
const { data } = await openai.images.generate({
  model: MODEL,
  prompt: "1girl, blue_hair",
  n: 1,
  size: "128x128" as "1024x1024",
  ...{ steps: 2 },
});
assert.deepEqual(sizeOf(Uint8Array.fromBase64(data![0]!.b64_json!)), [128, 128]);
await assert.rejects(
  openai.images.generate({ model: MODEL, prompt: "<character_1>" }),
  (error: InstanceType<typeof OpenAI.APIError>) =>
    error.status === 400 && /never closed/.test(error.message),
);

const provider = createOpenAICompatible({ name: "newbie", baseURL: `${url}v1`, apiKey: "none" });
const { image } = await generateImage({
  model: provider.imageModel(MODEL),
  prompt: "1girl, red_hair",
  size: "128x128",
  providerOptions: { newbie: { steps: 2 } },
});
assert.deepEqual(sizeOf(image.uint8Array), [128, 128]);
console.log("done");

/** Width and height as a PNG's header states them. */
function sizeOf(png: Uint8Array): [number, number] {
  const view = new DataView(png.buffer, png.byteOffset);
  return [view.getUint32(16), view.getUint32(20)];
}
