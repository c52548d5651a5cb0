import assert from "node:assert/strict";
import type { ForeignRecipe } from "../../src/recipe/mod.ts";
import { foreignRequest } from "../../src/studio/foreign_request.ts";

const foreign: ForeignRecipe = {
  program: "AUTOMATIC1111",
  left: [],
  settings: {
    prompt: "1girl",
    strength: 0.55,
    maskBlur: 6,
    hires: { scale: 2 },
    source: { image: "/etc/passwd", mask: "/etc/shadow", onlyMasked: 32, resize: "crop" },
  },
};

Deno.test("what another program drew from counts with the pictures that are given, and no file is read by its word", () => {
  const wordsOf = (image: boolean, mask: boolean) => {
    const { request, lacking } = foreignRequest(foreign, 16, { image, mask });
    return { request, lacking: lacking.map(({ name, value }) => `${name} ${value}`) };
  };
  const { prompt, hires, strength, maskBlur } = foreign.settings;
  assert.deepEqual(wordsOf(false, false), {
    request: { prompt, hires },
    lacking: ["strength 0.55", "mask_blur 6", "only_masked 32", "resize crop"],
  });
  assert.deepEqual(wordsOf(true, false), {
    request: { prompt, hires, strength, source: { resize: "crop" } },
    lacking: ["mask_blur 6", "only_masked 32"],
  });
  assert.deepEqual(wordsOf(true, true), {
    request: {
      prompt,
      hires,
      strength,
      maskBlur,
      source: { onlyMasked: 32, resize: "crop" },
    },
    lacking: [],
  });
});
