import assert from "node:assert/strict";
import { ConfigError, explainError, NewBieError } from "../src/errors.ts";
import { jsonProblem } from "../src/json_problem.ts";
import { inTempFolder } from "./_folders.ts";

const HOSTILE = "a\x1b[31m\nb\u202ec\x9bd";
const LANGUAGES = ["en", "zh"] as const;

Deno.test("no text of a file steers the terminal through an error's message", () => {
  const error = new NewBieError({ en: `${HOSTILE} is wrong.`, zh: `${HOSTILE} 有误。` });
  assert.equal(error.message, "a\\u001b[31m\\nb\\u202ec\\u009bd is wrong.");
  assert.equal(error.explain("zh"), "a\\u001b[31m\\nb\\u202ec\\u009bd 有误。");
});

Deno.test("an error's lines are its own: a line break in a name makes none", () => {
  const lines = [`${HOSTILE}:`, "second"];
  const error = new NewBieError({ en: lines, zh: lines });
  for (const language of LANGUAGES) assert.equal(error.explain(language).split("\n").length, 2);
});

Deno.test("a name of megabytes does not make a message of megabytes", () => {
  const error = new NewBieError({ en: `${"x".repeat(5e6)} is wrong.`, zh: "有误。" });
  assert(error.message.length < 5000);
  assert(error.message.endsWith("is wrong."));
});

Deno.test("an error keeps what caused it", () => {
  const cause = new Error("below");
  assert.equal(new NewBieError({ en: "a", zh: "甲" }, { cause }).cause, cause);
  assert.equal(new NewBieError("a", { zh: "甲", cause }).cause, cause);
  assert.equal("cause" in new NewBieError({ en: "a", zh: "甲" }), false);
});

Deno.test("a wrong configuration lists its problems in both languages", () => {
  const problems = [{ en: "one is wrong", zh: "一有误" }, { en: "two is", zh: "二有误" }];
  const error = new ConfigError("a.json", problems);
  const advice = "Compare it with the file published with the model.";
  assert.equal(error.message, `a.json: one is wrong; two is. ${advice}`);
  assert.equal(error.explain("zh"), "a.json：一有误；二有误。请与随模型发布的文件对照。");
});

Deno.test("what the system says is explained in both languages, with the path", async () => {
  await inTempFolder(async (folder) => {
    const missing = `${folder}/no\x1b[2Jne`;
    const file = `${folder}/file`;
    await Deno.writeTextFile(file, "");
    const failures: [() => Promise<unknown>, RegExp, RegExp][] = [
      [
        () => Deno.readFile(missing),
        /: there is no such file or folder\.$/,
        /：没有这个文件或文件夹。$/,
      ],
      [() => Deno.readFile(folder), /: it is a folder, not a file\.$/, /：它是文件夹，不是文件。$/],
      [
        () => Deno.readFile(`${file}/a`),
        /a part of its path is a file\.$/,
        /路径中有一部分是文件。$/,
      ],
      [() => Deno.mkdir(folder), /: it is there already\.$/, /：它已经存在。$/],
    ];
    for (const [fail, en, zh] of failures) {
      const error = await fail().then(() => assert.fail("did not fail"), (error) => error);
      for (const language of LANGUAGES) {
        const said = explainError(error, language);
        if (error.message.includes(folder)) assert(said.startsWith(folder), said);
        assert.doesNotMatch(said, /os error|\p{Cc}/u);
      }
      assert.match(explainError(error, "en"), en);
      assert.match(explainError(error, "zh"), zh);
    }
  });
});

Deno.test("what no one foresaw is said to be unforeseen, in both languages", () => {
  const error = new TypeError("x is not a \x1bfunction");
  assert.equal(
    explainError(error, "en"),
    "Something unforeseen went wrong: TypeError: x is not a \\u001bfunction",
  );
  assert.match(explainError(error, "zh"), /^发生了意料之外的错误：TypeError: /);
});

Deno.test("why a text is no JSON is said in both languages, with the place where V8 tells it", () => {
  const cases: [string, RegExp, RegExp][] = [
    ["", /ends too early$/, /内容提前结束$/],
    [
      '{"a": 1',
      /expected a comma or } after the value \(line 1, column 8\)$/,
      /值之后应为逗号或 }/,
    ],
    ['{"a": 1,\n}', /expected a name in double quotes \(line 2, column 1\)$/, /第 2 行，第 1 列/],
    ["[1 2]", /expected a comma or \] after the value/, /值之后应为逗号或 \]/],
    ['{"a" 1}', /expected a colon after the name/, /名称之后应为冒号/],
    ["nonsense", /unexpected o|something stands/, /出现/],
    ['"a\nb"', /a control character in a text/, /控制字符/],
    ['"\\q"', /a backslash that begins no known escape/, /反斜杠/],
    ["1 2", /something follows after its end/, /结尾之后还有内容/],
    ["-", /a number that is not complete/, /数字不完整/],
    ["\x1b[31m", /unexpected \\u001b$/, /出现意外的 \\u001b$/],
  ];
  for (const [text, en, zh] of cases) {
    try {
      JSON.parse(text);
      assert.fail(`${text} is JSON`);
    } catch (error) {
      const problem = jsonProblem(error);
      assert.match(problem.en, en);
      assert.match(problem.zh, zh);
      assert.doesNotMatch(problem.en + problem.zh, /\p{Cc}/u);
    }
  }
});
