/** Drawing from pictures on the page, with the demo model, in a browser. */
import { encodePng } from "../../src/image/mod.ts";
import { temporaryFolder } from "../_folders.ts";
import { inBrowser } from "./_browser.ts";
import { startServer } from "./_server.ts";

/** What other programs write, as tests/recipe/read_foreign_recipe_test.ts has it from their sources. */
const WRITTEN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  a1111: {
    parameters: "1girl, lantern\nNegative prompt: lowres\n" +
      "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 123, Size: 512x768",
  },
  comfyui: {
    prompt: JSON.stringify({
      3: {
        class_type: "KSampler",
        inputs: {
          seed: 5,
          steps: 24,
          cfg: 6.5,
          positive: ["6", 0],
          negative: ["7", 0],
          latent_image: ["5", 0],
        },
      },
      5: { class_type: "EmptyLatentImage", inputs: { width: 832, height: 1216, batch_size: 1 } },
      6: { class_type: "CLIPTextEncode", inputs: { text: "1girl, lantern" } },
      7: { class_type: "CLIPTextEncode", inputs: { text: "lowres" } },
      9: { class_type: "SaveImage", inputs: { images: ["3", 0] } },
    }),
  },
  novelai: {
    Software: "NovelAI",
    Description: "1girl, lantern",
    Comment: JSON.stringify({ prompt: "1girl, lantern", steps: 28, seed: 3, uc: "lowres" }),
  },
};

/** Light from left to right, and red from top to bottom. */
function gradient(width: number, height: number) {
  const data = new Uint8ClampedArray(3 * width * height);
  for (let at = 0; at < width * height; at++) {
    const light = 255 * (at % width) / width;
    data.set([255 * Math.floor(at / width) / height, light, light], 3 * at);
  }
  return { data, width, height };
}

Deno.test("a person draws from pictures, masks, grows and compares them in a browser", async (test) => {
  await using folder = await temporaryFolder();
  await Deno.writeFile(`${folder.path}/given.png`, encodePng(gradient(256, 192)));
  for (const [name, text] of Object.entries(WRITTEN)) {
    await Deno.writeFile(`${folder.path}/${name}.png`, encodePng(gradient(64, 64), { text }));
  }
  await using server = await startServer([], { folder: folder.path });
  await inBrowser(test, "picture_page.ts", server, [folder.path]);
});
