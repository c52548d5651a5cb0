/** npm's clients of OpenAI's API against a server: its address is the argument. */
import assert from "node:assert/strict";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateImage } from "ai";
import OpenAI, { toFile } from "openai";

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
const drawn = Uint8Array.fromBase64(data![0]!.b64_json!);
assert.deepEqual(sizeOf(drawn), [128, 128]);
const picture = () => toFile(drawn, "picture.png", { type: "image/png" });
const edited = await openai.images.edit({
  model: MODEL,
  image: await picture(),
  prompt: "1girl, red_hair",
  ...{ steps: 4, strength: 0.5, seed: 7 },
});
assert.deepEqual(sizeOf(Uint8Array.fromBase64(edited.data![0]!.b64_json!)), [128, 128]);
await assert.rejects(
  openai.images.edit({ image: [await picture(), await picture()], prompt: "1girl" }),
  (error: InstanceType<typeof OpenAI.APIError>) =>
    error.status === 400 && error.param === "image",
);
const events = await openai.images.generate({
  model: MODEL,
  prompt: "1girl",
  size: "128x128" as "1024x1024",
  stream: true,
  partial_images: 1,
  ...{ steps: 4 },
});
const kinds: string[] = [];
for await (const { type } of events) kinds.push(type);
assert.deepEqual(kinds, ["image_generation.partial_image", "image_generation.completed"]);
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
const { image: changed } = await generateImage({
  model: provider.imageModel(MODEL),
  prompt: { text: "1girl, blue_hair", images: [image.uint8Array] },
  size: "128x128",
  providerOptions: { newbie: { steps: 2 } },
});
assert.deepEqual(sizeOf(changed.uint8Array), [128, 128]);
console.log("done");

/** Width and height as a PNG's header states them. */
function sizeOf(png: Uint8Array): [number, number] {
  const view = new DataView(png.buffer, png.byteOffset);
  return [view.getUint32(16), view.getUint32(20)];
}
