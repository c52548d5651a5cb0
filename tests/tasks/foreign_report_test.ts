import assert from "node:assert/strict";
import { foreignReport } from "../../tasks/create/foreign_report.ts";

function shown(prompt: string, language: "en" | "zh" = "en"): readonly string[] {
  const recipe = { program: "ComfyUI", settings: { prompt, negativePrompt: prompt }, left: [] };
  return foreignReport("a.png", recipe as never, language);
}

Deno.test("another program's prompt is shown, and one that would fill the terminal in part", () => {
  assert.deepEqual(shown("1girl\nsmile").slice(1), [
    "Its prompt:",
    "1girl",
    "smile",
    "Its negative prompt:",
    "1girl",
    "smile",
  ]);
  for (const long of ["a".repeat(300_000), "a\n".repeat(20_000)]) {
    for (const language of ["en", "zh"] as const) {
      const lines = shown(long, language);
      assert(lines.length < 150 && lines.join("\n").length < 10_000);
      // The first lines, as they are, and how much of the prompt they leave out.
      const half = (lines.length - 1) / 2;
      const own = lines.slice(half + 2, -1).join("\n");
      assert(own.length > 0 && long.startsWith(own));
      assert.equal(Number(/\d+/.exec(lines.at(-1)!)![0]), long.length - own.length);
    }
  }
});
