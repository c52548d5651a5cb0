/** Runs `deno task install` as a user does, in a fresh copy of what it needs of the repository. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { CUDA_PROVIDER } from "../../src/integrity/mod.ts";
import { findRegistry, refusePlatform } from "../../tasks/install/cuda.ts";
import { download, DownloadError } from "../../tasks/install/download.ts";
import { temporaryFolder } from "../_folders.ts";
import { COMMON, sh } from "../integrity/_packages.ts";
import { clone } from "./_clone.ts";

const TARGET = `${COMMON}/dist/cjs/tensor-impl.js`;
const hasProvider = Deno.build.os === "linux" && Deno.build.arch === "x86_64";

Deno.test("a fresh clone is patched by its first task; after that the step is silent", async () => {
  await using it = await clone();
  const first = await it.task("install");
  assert.equal(first.code, 0, first.err);
  assert.match(first.err, /Applied patches\/fix_dtype\.patch to 2 files\.\n$/);
  const check = ["apply", "--reverse", "--check", "patches/fix_dtype.patch"];
  assert.equal((await sh("git", check, it.path)).code, 0);
  const second = await it.task("install");
  assert.deepEqual(second, { code: 0, out: "", err: "" });
});

Deno.test("--json prints one object, and says what was changed", async () => {
  await using it = await clone();
  const reports = [];
  for (let time = 0; time < 2; time++) {
    const { code, out, err } = await it.task("install", "--json");
    assert.equal(code, 0, err);
    assert.equal(out.trim().split("\n").length, 1);
    reports.push(JSON.parse(out));
  }
  const [first, second] = reports.map(({ patches: [{ state, changed }] }) => ({ state, changed }));
  assert.equal(first!.state, "applied");
  assert.equal(first!.changed.length, 2);
  assert(first!.changed.includes(TARGET));
  assert.deepEqual(second, { state: "applied", changed: [] });
});

Deno.test("where a patch does not fit, the hunk is shown, and nothing that needs it starts", async () => {
  await using it = await clone();
  await it.task("install");
  const changed = (await Deno.readTextFile(it.at(TARGET))).replace("reads no byte", "reads a byte");
  await Deno.writeTextFile(it.at(TARGET), changed);
  const english = await it.task("install");
  assert.equal(english.code, 1);
  assert.match(english.err, /patches\/fix_dtype\.patch does not fit/);
  assert(english.err.includes(TARGET));
  assert.match(english.err, /Hunk 1:\n {2}@@ -\d+,6 \+\d+,11 @@\n/);
  assert.match(english.err, /rm -rf node_modules && deno task install/);
  const chinese = await it.task("install", "--lang", "zh");
  assert.match(chinese.err, /不适用/);
  const json = await it.task("install", "--json");
  assert.equal(json.code, 1);
  assert.equal(JSON.parse(json.out).patch.state, "does-not-fit");
  assert.equal(await Deno.readTextFile(it.at(TARGET)), changed);

  const configuration = JSON.parse(await Deno.readTextFile(it.at("deno.json")));
  configuration.tasks.needy = { command: "echo started", dependencies: ["install"] };
  await Deno.writeTextFile(it.at("deno.json"), JSON.stringify(configuration));
  const needy = await it.task("needy");
  assert.equal(needy.code, 1);
  assert.equal(needy.out, "");
});

Deno.test("as another task's dependency it leaves stdout, arguments and exit code alone", async () => {
  await using it = await clone();
  const configuration = JSON.parse(await Deno.readTextFile(it.at("deno.json")));
  configuration.tasks.needy = { command: "deno run needy.ts", dependencies: ["install"] };
  await Deno.writeTextFile(it.at("deno.json"), JSON.stringify(configuration));
  const program = "console.log(JSON.stringify(Deno.args)); Deno.exit(2);";
  await Deno.writeTextFile(it.at("needy.ts"), program);
  const { code, out } = await it.task("needy", "--json", "--lang", "zh");
  assert.equal(code, 2);
  assert.deepEqual(JSON.parse(out), ["--json", "--lang", "zh"]);
});

Deno.test("two at once in a fresh clone both end well", async () => {
  await using it = await clone();
  await it.task("parse", "--help");
  const both = await Promise.all([it.task("install"), it.task("install")]);
  for (const { code, err } of both) assert.equal(code, 0, err);
  const names = [...Deno.readDirSync(it.at(`${COMMON}/dist/cjs`))].map(({ name }) => name);
  assert.deepEqual(names.filter((name) => name.startsWith(".")), []);
});

Deno.test("wrong requests exit with 2 and say what is right", async () => {
  await using it = await clone();
  const wrong = {
    "install --no-such-option": /--no-such-option/,
    "install --from x.tgz": /--cuda/,
    "install --cuda": /deno task install:cuda/,
    ...(hasProvider
      ? { "install:cuda --from no/such.tgz": /no\/such\.tgz: there is no such/ }
      : {}),
  };
  for (const [line, expected] of Object.entries(wrong)) {
    const { code, err } = await it.task(...line.split(" "));
    assert.equal(code, 2, `${line}: ${err}`);
    assert.match(err, expected);
  }
  const help = await it.task("install", "--help");
  assert.equal(help.code, 0);
  assert.match(help.out, /Usage: deno task install/);
  const chinese = await it.task("install", "--help", "--lang", "zh");
  assert.match(chinese.out, /用法：/);
});

Deno.test({
  name: "--from with another file, or without the libraries, puts nothing in place",
  ignore: !hasProvider,
  async fn() {
    await using it = await clone();
    await it.task("install");
    const folder = it.at("node_modules/onnxruntime-node/bin/napi-v6/linux/x64");
    const names = () => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    const before = names();
    const [shared] = CUDA_PROVIDER.libraries;
    await Deno.mkdir(it.at(`fake/${CUDA_PROVIDER.folder}`), { recursive: true });
    await Deno.writeTextFile(it.at(`fake/${CUDA_PROVIDER.folder}/${shared!.name}`), "not it");
    for (
      const [from, problem, expected] of [
        ["deno.json", "damaged", /deno\.json is no \.tgz, or is damaged/],
        ["tasks", "absent", /tasks has no libonnxruntime_providers_shared\.so/],
        [
          "fake",
          "other-bytes",
          /libonnxruntime_providers_shared\.so of fake is not the pinned one/,
        ],
      ] as const
    ) {
      const { code, out, err } = await it.task("install:cuda", "--json", "--from", from);
      assert.equal(code, 1);
      assert.match(err, expected);
      assert.equal(JSON.parse(out).problem.code, problem);
      assert.deepEqual(names(), before);
    }
  },
});

Deno.test("there is a provider for Linux on x86_64 alone", () => {
  assert.equal(refusePlatform({ os: "linux", arch: "x86_64" }), undefined);
  assert.match(refusePlatform({ os: "darwin", arch: "aarch64" })!, /darwin.*aarch64/);
  assert.match(refusePlatform({ os: "linux", arch: "aarch64" })!, /aarch64/);
});

Deno.test("the registry is the variable's, the project's, the user's, or npm's", async () => {
  await using folder = await temporaryFolder();
  const [project, user] = ["project", "user"].map((name) => join(folder.path, name));
  const find = (variables: Record<string, string>) =>
    findRegistry((name) => variables[name], [project!, user!]);
  assert.equal(await find({}), "https://registry.npmjs.org/");
  await Deno.writeTextFile(
    user!,
    "# mine\n@scope:registry=https://scope.example/\nregistry = http://user.example/npm\n",
  );
  assert.equal(await find({}), "http://user.example/npm/");
  await Deno.writeTextFile(project!, 'fund=false\nregistry="https://project.example:8443/"\n');
  assert.equal(await find({}), "https://project.example:8443/");
  assert.equal(
    await find({ NPM_CONFIG_REGISTRY: "https://variable.example" }),
    "https://variable.example/",
  );
  await assert.rejects(find({ npm_config_registry: "mirror" }), /"mirror"/);
});

const URL_OF_IT = "https://registry.example/it.tgz";

/** Answers in the network's place, as tests run without one; tells what it was asked for. */
function serve(answer: (range: string | null) => Response) {
  const ranges: (string | null)[] = [];
  const { fetch } = globalThis;
  globalThis.fetch = async (url, init) => {
    assert.equal(url, URL_OF_IT);
    const range = new Headers(init?.headers).get("range");
    ranges.push(range);
    return await Promise.resolve(answer(range));
  };
  return { ranges, [Symbol.dispose]: () => void (globalThis.fetch = fetch) };
}

const BYTES = new Uint8Array(200_000).map((_, index) => (index * index) >> 3);
const PINNED = {
  bytes: BYTES.length,
  integrity: `sha512-${createHash("sha512").update(BYTES).digest("base64")}`,
};
const rest = (range: string | null) => {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? "bytes=0-")![1]);
  const headers = { "content-range": `bytes ${start}-${BYTES.length - 1}/${BYTES.length}` };
  return range === null
    ? new Response(BYTES)
    : new Response(BYTES.subarray(start), { status: 206, headers });
};
const brokenOff = () =>
  new Response(
    ReadableStream.from((async function* () {
      yield BYTES.subarray(0, 70_000);
      await Promise.resolve();
      throw new Error("the cable was pulled");
    })()),
  );

async function problemOf(work: Promise<void>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assert(error instanceof DownloadError, String(error));
    return error.problem.code;
  }
  return "none";
}

Deno.test("a download that breaks off is kept and continued", async () => {
  await using folder = await temporaryFolder();
  const target = join(folder.path, "part");
  let answer: (range: string | null) => Response = brokenOff;
  using server = serve((range) => answer(range));
  assert.equal(await problemOf(download(URL_OF_IT, target, PINNED)), "interrupted");
  const { size } = await Deno.stat(target);
  assert.equal(size, 70_000);
  answer = rest;
  const seen: number[] = [];
  await download(URL_OF_IT, target, PINNED, (bytes) => seen.push(bytes));
  assert.deepEqual(server.ranges, [null, `bytes=${size}-`]);
  assert(seen[0]! > size && seen.at(-1) === BYTES.length);
  assert.deepEqual(await Deno.readFile(target), BYTES);
  await download(URL_OF_IT, target, PINNED);
  assert.equal(server.ranges.length, 2, "what is whole is not asked for again");
});

Deno.test("a server that cannot continue sends all of it anew", async () => {
  await using folder = await temporaryFolder();
  const target = join(folder.path, "part");
  await Deno.writeFile(target, BYTES.subarray(0, 1000));
  using _server = serve(() => new Response(BYTES));
  await download(URL_OF_IT, target, PINNED);
  assert.deepEqual(await Deno.readFile(target), BYTES);
});

Deno.test("a wrong beginning is thrown away and the download begun anew, once", async () => {
  await using folder = await temporaryFolder();
  const target = join(folder.path, "part");
  await Deno.writeFile(target, new Uint8Array(1000).fill(7));
  using server = serve(rest);
  await download(URL_OF_IT, target, PINNED);
  assert.deepEqual(server.ranges, ["bytes=1000-", null]);
  assert.deepEqual(await Deno.readFile(target), BYTES);
});

Deno.test("other bytes than the pinned ones are thrown away", async () => {
  await using folder = await temporaryFolder();
  const target = join(folder.path, "part");
  const flipped = BYTES.slice();
  flipped[100_000]! ^= 1;
  for (const wrong of [flipped, new Uint8Array(BYTES.length + 1)]) {
    using _server = serve(() => new Response(wrong));
    assert.equal(await problemOf(download(URL_OF_IT, target, PINNED)), "other-bytes");
    await assert.rejects(Deno.stat(target), Deno.errors.NotFound);
  }
});

Deno.test("a server that refuses, or is not there, is named as such", async () => {
  await using folder = await temporaryFolder();
  const target = join(folder.path, "part");
  const refuse = () => new Response("no such package", { status: 404 });
  const fail = () => {
    throw new TypeError("fetch failed", { cause: new Error("Connection refused (os error 111)") });
  };
  for (const [answer, expected] of [[refuse, /404/], [fail, /Connection refused/]] as const) {
    using _server = serve(answer);
    await assert.rejects(
      download(URL_OF_IT, target, PINNED),
      (error) => error instanceof DownloadError && expected.test(JSON.stringify(error.problem)),
    );
  }
});
