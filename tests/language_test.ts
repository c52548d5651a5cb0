import assert from "node:assert/strict";
import { languageOfEnvironment } from "../src/language.ts";

Deno.test("the first variable that is set names the language; where none is, as on Windows, the system", () => {
  const cases: [Record<string, string>, string, "en" | "zh"][] = [
    [{ LC_ALL: "zh_CN.UTF-8", LANG: "en_US.UTF-8" }, "en-US", "zh"],
    [{ LC_ALL: "", LANG: "C" }, "zh-CN", "en"],
    [{}, "zh-CN", "zh"],
    [{}, "zh-Hans-CN", "zh"],
    // What Deno says where no language is set at all.
    [{}, "en-US-u-va-posix", "en"],
  ];
  for (const [variables, system, expected] of cases) {
    assert.equal(languageOfEnvironment((name) => variables[name], system), expected);
  }
});
