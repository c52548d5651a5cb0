/** Runs `deno task eval` as a user does, with the permissions that deno.json gives it. */
import assert from "node:assert/strict";
import { ATTRIBUTES } from "../../bench/eval/attributes.ts";
import { ROOT, runTask } from "../tasks/_task_command.ts";

const evaluate = (...args: string[]) => runTask("eval", args, { env: { NO_COLOR: "1" } });

Deno.test("one scene goes all the way from its prompts to rates", async () => {
  const before = await results();
  const { code, out, err } = await evaluate("--limit", "1", "--steps", "2", "--json");
  assert.equal(code, 0, err);
  const result = JSON.parse(out);
  assert.equal(result.prompts, 1);
  assert.deepEqual(result.sampling, { steps: 2, guidance: 3, size: 256 });
  const isRate = (value: unknown) => typeof value === "number" && value >= 0 && value <= 1;
  assert(isRate(result.checkerError));
  for (const kind of ["xml", "tags"]) {
    assert(isRate(result[kind].misbinding), kind);
    assert(isRate(result[kind].attributeAccuracy), kind);
    assert.deepEqual(Object.keys(result[kind].perAttribute), ATTRIBUTES);
  }
  assert.match(err, /scene 1\/1/);
  assert.deepEqual(await results(), before, "a limited evaluation records nothing");
});

Deno.test("a larger picture is made smaller to be measured", async () => {
  const { code, out, err } = await evaluate(
    ...["--limit", "1", "--steps", "1", "--size", "320", "--json"],
  );
  assert.equal(code, 0, err);
  assert.equal(JSON.parse(out).sampling.size, 320);
});

Deno.test("starting from pictures is measured, and nothing outside of a mask changes", async () => {
  const { code, out, err } = await evaluate(
    ...["--from-pictures", "--limit", "1", "--steps", "2", "--json"],
  );
  assert.equal(code, 0, err);
  const { pairs, strengths, inpainting } = JSON.parse(out);
  assert.equal(pairs.length, 4);
  for (const { psnr } of pairs) assert(psnr > 25, `${psnr} dB`);
  // What may go further from a picture is less like it.
  const similar = strengths.map(({ psnr }: { psnr: number }) => psnr);
  assert.deepEqual(similar, similar.toSorted((a: number, b: number) => b - a));
  assert.equal(inpainting.outside, 0);
});

Deno.test("--help explains and exits with 0, a wrong request exits with 2", async () => {
  const help = await evaluate("--help");
  assert.equal(help.code, 0);
  assert.match(help.out, /Usage: deno task eval/);
  for (
    const wrong of [
      ["--no-such-option"],
      ["--limit", "x"],
      ["--limit", "0"],
      ["--steps", "0"],
      ["--size", "255"],
    ]
  ) {
    const { code, err } = await evaluate(...wrong);
    assert.equal(code, 2, err);
    assert.match(err, new RegExp(wrong[0]!));
  }
});

/** Names and times of what is recorded. */
async function results(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(new URL("bench/results", ROOT))) {
    const { mtime } = await Deno.stat(new URL(`bench/results/${name}`, ROOT));
    found.push(`${name} ${mtime?.getTime()}`);
  }
  return found.sort();
}
