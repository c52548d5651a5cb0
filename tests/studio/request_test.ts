import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { fromText, SETTINGS } from "../../src/settings/mod.ts";
import {
  laterSeed,
  parseBatchLine,
  parseSize,
  requestedGenerator,
} from "../../src/studio/request.ts";

Deno.test("a seed is any whole number of 64 bits, exactly", () => {
  const parse = (text: string) => fromText(SETTINGS.generator.seed.kind, text);
  assert.equal(parse("0"), 0);
  assert.equal(parse("9007199254740991"), 9007199254740991);
  assert.equal(parse("9007199254740993"), 9007199254740993n);
  assert.equal(parse("18446744073709551615"), 18446744073709551615n);
  assert.equal(parse(" ４２ "), 42);
  for (const wrong of ["", "-2", "1.5", "1e3", "x", "18446744073709551616"]) {
    assert.equal(parse(wrong), undefined, wrong);
  }
});

Deno.test("a seed of -1, or none, is a random one, as in other programs", () => {
  const line = parseBatchLine('{"prompt": "1girl", "seed": -1}');
  const seeds = [line.request.generator, {}, undefined, { seed: -1 }].map((generator) =>
    requestedGenerator(generator).seed
  );
  assert.equal(new Set(seeds).size, 4);
  for (const seed of seeds) assert(seed >= 0);
  assert.deepEqual(requestedGenerator({ seed: 7, device: "cuda" }), { seed: 7, device: "cuda" });
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
    '"step_cache": 0.1, "count": 3}';
  assert.deepEqual(parseBatchLine(line), {
    request: {
      prompt: "1girl",
      generator: { seed: 18446744073709551615n },
      numInferenceSteps: 5,
      guidanceScale: 2.5,
      negativePrompt: "blurry",
      width: 320,
      scheduler: { name: "heun" },
      stepCache: 0.1,
    },
    promptFile: undefined,
    output: "a.png",
    count: 3,
  });
  assert.deepEqual(parseBatchLine('"1girl, smile"').request, { prompt: "1girl, smile" });
});

Deno.test("a line of a batch that cannot be met says all that is wrong", () => {
  assert.throws(() => parseBatchLine("{"), /not valid JSON/);
  assert.throws(() => parseBatchLine("{}"), /prompt/);
  assert.throws(() => parseBatchLine('{"prompt": "a", "prompt_file": "b"}'), /either/);
  assert.throws(() => parseBatchLine('{"prompt": "a", "cfg_scale": 3}'), (error: RequestError) => {
    return error.message.includes('there is no "cfg_scale", which is "guidance" here.') &&
      error.explain("zh").includes('没有 "cfg_scale"，这里叫 "guidance"。');
  });
  for (const [written, own] of [["DPM++ 2M", "dpm-solver++"], ["Euler", "euler"]]) {
    const line = JSON.stringify({ prompt: "a", scheduler: written });
    assert.equal(parseBatchLine(line).request.scheduler?.name, own);
  }
  const wrong =
    '{"prompt": "a", "stesp": 3, "width": "wide", "steps": 0, "seed": 1e30, "shift": 1e999}';
  assert.throws(() => parseBatchLine(wrong), (error: RequestError) => {
    const english = [
      'there is no "stesp".',
      '"width" is "wide"; expected a whole number from 1 on.',
      '"steps" is 0; expected a whole number from 1 to 1000.',
      '"seed" is 1e+30; expected a whole number from 0 to 18446744073709551615',
      '"shift" is Infinity; expected a number from 0.001 to 1000.',
    ];
    const chinese = ['没有 "stesp"。', '"width" 是 "wide"；应为不小于 1 的整数。'];
    for (const part of english) assert(error.message.includes(part), error.message);
    for (const part of chinese) assert(error.explain("zh").includes(part), error.explain("zh"));
    return true;
  });
});
