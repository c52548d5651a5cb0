import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { laterSeed, parseBatchLine, parseSeed, parseSize } from "../../src/studio/request.ts";

Deno.test("a seed is any whole number of 64 bits, exactly", () => {
  assert.equal(parseSeed("0"), 0);
  assert.equal(parseSeed("9007199254740991"), 9007199254740991);
  assert.equal(parseSeed("9007199254740993"), 9007199254740993n);
  assert.equal(parseSeed("18446744073709551615"), 18446744073709551615n);
  for (const wrong of ["", "-1", "1.5", "1e3", "x", "18446744073709551616"]) {
    assert.throws(() => parseSeed(wrong), RequestError, wrong);
  }
});

Deno.test("seeds in a row begin again after the last", () => {
  assert.deepEqual(laterSeed({ seed: 41, device: "cuda" }, 1), { seed: 42, device: "cuda" });
  assert.deepEqual(laterSeed({ seed: 2n ** 64n - 1n }, 1), { seed: 0 });
  assert.deepEqual(laterSeed({ seed: 2 ** 53 - 1 }, 2), { seed: 2n ** 53n + 1n });
});

Deno.test("a size is width by height, or a square", () => {
  assert.deepEqual(parseSize("256x384"), { width: 256, height: 384 });
  assert.deepEqual(parseSize(" 512 × 256 "), { width: 512, height: 256 });
  assert.deepEqual(parseSize("1024"), { width: 1024, height: 1024 });
  for (const wrong of ["", "x", "256x", "-1x2", "1.5x2", "big"]) {
    assert.throws(() => parseSize(wrong), RequestError, wrong);
  }
});

Deno.test("a line of a batch speaks the options' words", () => {
  const line = '{"prompt": "1girl", "seed": "18446744073709551615", "steps": 5, "guidance": 2.5, ' +
    '"negative_prompt": "blurry", "output": "a.png", "width": 320, "scheduler": "heun", ' +
    '"step_cache": 0.1}';
  assert.deepEqual(parseBatchLine(line), {
    request: {
      prompt: "1girl",
      generator: { seed: 18446744073709551615n },
      numInferenceSteps: 5,
      guidanceScale: 2.5,
      negativePrompt: "blurry",
      width: 320,
      scheduler: "heun",
      stepCache: 0.1,
    },
    promptFile: undefined,
    output: "a.png",
  });
  assert.deepEqual(parseBatchLine('"1girl, smile"').request, { prompt: "1girl, smile" });
});

Deno.test("a line of a batch that cannot be met says all that is wrong", () => {
  assert.throws(() => parseBatchLine("{"), /not valid JSON/);
  assert.throws(() => parseBatchLine("{}"), /prompt/);
  assert.throws(() => parseBatchLine('{"prompt": "a", "prompt_file": "b"}'), /either/);
  assert.throws(
    () => parseBatchLine('{"prompt": "a", "stesp": 3, "width": "wide"}'),
    (error: Error) => /stesp/.test(error.message) && /width/.test(error.message),
  );
});
