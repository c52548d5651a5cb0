/**
 * What goes into an image. The repository itself is one measure: what its modules import must come
 * along. Small packages made here are the other, read back by GNU tar. That packages lie as Deno lays
 * them is seen on the image's way (journey/), where they are.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { packTar } from "modern-tar";
import {
  contextEntries,
  digestOf,
  packagesOf,
  packContext,
  readSources,
  type SourceFile,
} from "../../src/container/mod.ts";
import { contentForImage, importsOf, isInImage } from "../../src/container/engine/image_content.ts";
import { ONNX_RUNTIME } from "../../src/integrity/mod.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A module of the repository that another imports, as git names it; undefined for a package. */
function importedPath(module: string, specifier: string): string | undefined {
  if (!/^\.{1,2}\//.test(specifier)) return undefined;
  return posix.join(posix.dirname(module), specifier);
}

Deno.test("all that the image's modules import is in the image, and nothing of tests", async () => {
  const sources = await readSources(ROOT);
  const paths = new Set(sources.files.map(({ path }) => path));
  for (const name of ["test", "create", "parse", "doctor", "verify", "install", "quantize"]) {
    assert(paths.has(`tasks/${name}.ts`), name);
  }
  for (
    const path of [
      "tasks/checkout/build.ts",
      "tests/files_test.ts",
      "src/container/mod.ts",
      "bench/demo.ts",
    ]
  ) {
    assert(!paths.has(path), path);
  }
  for (const { path, bytes } of sources.files.filter(({ path }) => path.endsWith(".ts"))) {
    for (const specifier of importsOf(decoder.decode(bytes))) {
      const imported = importedPath(path, specifier);
      if (imported !== undefined) assert(paths.has(imported), `${path} imports ${imported}`);
    }
  }
  const names = packagesOf(sources).all.map(({ name }) => name);
  for (
    const name of ["onnxruntime-node", "zod", "@jsquash/jpeg", "@jsquash/webp", "@jsquash/avif"]
  ) {
    assert(names.includes(name), name);
  }
  for (const name of ["dockerode", "fast-check", "@lydell/node-pty", "@xterm/headless", "ssh2"]) {
    assert(!names.includes(name), name);
  }
});

Deno.test("the packages of the image are those that deno.lock leads to, with its checksums", async () => {
  const sources = await readSources(ROOT);
  const lock: { npm: Record<string, { integrity: string }> } = JSON.parse(
    await Deno.readTextFile(join(ROOT, "deno.lock")),
  );
  const { all, named } = packagesOf(sources);
  for (const { name, version, integrity } of all) {
    assert.equal(integrity, lock.npm[`${name}@${version}`]?.integrity, name);
  }
  // A package's dependencies come along, at the locked version where there are several.
  const runtime = named.find(({ name }) => name === "onnxruntime-node")!;
  assert.deepEqual(runtime.dependencies.map(({ name }) => name), [
    "adm-zip",
    "global-agent",
    "onnxruntime-common",
  ]);
  const proto = named.find(({ name }) => name === "onnx-proto")!;
  assert.equal(proto.dependencies.find(({ name }) => name === "protobufjs")?.version, "6.11.6");
});

Deno.test("deno.json offers in the image what works there, and lays no packages", async () => {
  const text = await Deno.readFile(join(ROOT, "deno.json"));
  const configuration = JSON.parse(decoder.decode(contentForImage("deno.json", text)));
  assert.equal(configuration.nodeModulesDir, "manual");
  const names = Object.keys(configuration.tasks);
  for (const name of ["test", "create", "verify"]) assert(names.includes(name), name);
  for (const name of ["build", "check", "install:cuda", "bench"]) {
    assert(!names.includes(name), name);
  }
  const { tasks } = JSON.parse(decoder.decode(text));
  assert.equal(configuration.tasks.verify.command, tasks.verify.command);
  // A container has no network that native code could reach: its `create` has the fast kernels.
  assert.equal(configuration.tasks.create.command, tasks["create:fast"].command);
  assert.match(configuration.tasks.create.command, /--deny-net .*--allow-ffi /);
});

Deno.test("checksums.txt lists in the image what is there, and no weights of this machine", () => {
  const text = "11  deno.lock\n22  models/demo/a\n33  models/next-dit-3.5b/b\n44 *models/vae/c\n";
  const found = decoder.decode(contentForImage("checksums.txt", encoder.encode(text)));
  assert.equal(found, "11  deno.lock\n22  models/demo/a\n");
});

/** A repository of one module, and its packages. */
async function smallProject({ integrity }: { integrity?: string } = {}) {
  const folder = await Deno.makeTempDir();
  const tarballs = new Map<string, Uint8Array>();
  const pack = async (name: string, files: Record<string, string>) => {
    const entries = Object.entries(files).map(([path, body]) => ({
      header: { name: path, size: body.length, mode: path.endsWith(".sh") ? 0o755 : 0o600 },
      body,
    }));
    const tar = new Blob([await packTar(entries)]).stream();
    const bytes = await new Response(tar.pipeThrough(new CompressionStream("gzip"))).bytes();
    tarballs.set(name, bytes);
    await Deno.writeFile(join(folder, `${name.replace("/", "-")}.tgz`), bytes);
    return `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
  };
  const binaries = "package/bin/napi-v6";
  const lock = {
    version: "5",
    specifiers: { [`npm:onnxruntime-node@${ONNX_RUNTIME.version}`]: ONNX_RUNTIME.version },
    npm: {
      [`onnxruntime-node@${ONNX_RUNTIME.version}`]: {
        integrity: await pack("onnxruntime-node", {
          "package/index.js": "main",
          [`${binaries}/linux/x64/a.node`]: "wanted",
          [`${binaries}/linux/arm64/a.node`]: "another machine's",
          [`${binaries}/win32/x64/a.node`]: "another machine's",
        }),
        dependencies: ["@scope/helper"],
      },
      // A folder of another name, a program, and a path that leads out.
      "@scope/helper@2.0.0": {
        integrity: integrity ?? await pack("@scope/helper", {
          "helper-2/run.sh": "program",
          "helper-2/../../evil": "out",
        }),
      },
      "unused@1.0.0": { integrity: "sha512-none" },
    },
  };
  if (integrity !== undefined) await pack("@scope/helper", { "package/run.sh": "changed" });
  const configuration = {
    tasks: {},
    imports: {
      "onnxruntime-node": `npm:onnxruntime-node@${ONNX_RUNTIME.version}`,
      unused: "npm:unused@1.0.0",
    },
  };
  const text = (path: string, content: string): SourceFile => ({
    path,
    isExecutable: false,
    bytes: encoder.encode(content),
  });
  const files = [
    text("Dockerfile", "ARG BASE=${CUDA_IMAGE}\nFROM ${BASE}\n"),
    text("deno.json", JSON.stringify(configuration)),
    text("deno.lock", JSON.stringify(lock)),
    text("src/mod.ts", 'import "onnxruntime-node";\n'),
  ];
  const [deno, tini] = [join(folder, "deno"), join(folder, "tini.deb")];
  for (const path of [deno, tini]) await Deno.writeTextFile(path, "tool");
  return {
    folder,
    sources: { commit: "c", time: 1_700_000_000, changes: [], files },
    ingredients: {
      deno,
      tini,
      tarball: ({ name }: { name: string }) => join(folder, `${name.replace("/", "-")}.tgz`),
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("a context holds packages in Deno's layout, and of ONNX Runtime one machine's part", async () => {
  await using project = await smallProject();
  const entries = await contextEntries(project.sources, project.ingredients);
  const runtime = `packages/.deno/onnxruntime-node@${ONNX_RUNTIME.version}/node_modules`;
  const helper = "packages/.deno/@scope+helper@2.0.0/node_modules/@scope/helper";
  const found = entries.filter(({ kind }) => kind !== "folder").map(({ path, mode, target }) =>
    `${mode.toString(8)} ${path}${target === undefined ? "" : ` -> ${target}`}`
  );
  assert.deepEqual(found, [
    "644 Dockerfile",
    "644 app/Dockerfile",
    "644 app/LICENSES.txt",
    "644 app/deno.json",
    "644 app/deno.lock",
    "644 app/sources.txt",
    "644 app/src/mod.ts",
    `755 ${helper}/run.sh`,
    `777 ${runtime}/@scope/helper -> ../../../@scope+helper@2.0.0/node_modules/@scope/helper`,
    `644 ${runtime}/onnxruntime-node/bin/napi-v6/linux/x64/a.node`,
    `644 ${runtime}/onnxruntime-node/index.js`,
    `777 packages/onnxruntime-node -> .deno/onnxruntime-node@${ONNX_RUNTIME.version}/node_modules/onnxruntime-node`,
    "644 tools/SHA256SUMS",
    "755 tools/deno",
    "755 tools/tini.deb",
  ]);
  // Without the CUDA provider, on the base image without CUDA.
  const dockerfile = entries.find(({ path }) => path === "Dockerfile");
  assert.equal(
    decoder.decode(dockerfile?.body as Uint8Array),
    "ARG BASE=${CPU_IMAGE}\nFROM ${BASE}\n",
  );
  const outputs = entries.find(({ path }) => path === "app/outputs");
  assert.equal(outputs?.mode, 0o1777);
});

Deno.test("a tarball that is not the locked one is refused by its name", async () => {
  await using project = await smallProject({ integrity: `sha512-${"A".repeat(86)}==` });
  await assert.rejects(contextEntries(project.sources, project.ingredients), {
    name: "PinError",
    code: "other-bytes",
    message: /@scope\/helper@2\.0\.0 is not the locked one/,
  });
});

Deno.test("the same context is the same archive: sorted, owned by root, of the commit's time", async () => {
  await using project = await smallProject();
  const entries = await contextEntries(project.sources, project.ingredients);
  // Tools have their pinned sizes, which these are not.
  const small = entries.filter(({ path }) => !path.startsWith("tools/"));
  const pack = async (order: typeof small) =>
    await new Response(ReadableStream.from(packContext(order, project.sources.time))).bytes();
  const archive = await pack(small);
  assert.deepEqual(archive, await pack(small));
  const path = join(project.folder, "context.tar");
  await Deno.writeFile(path, archive);
  const { stdout } = await new Deno.Command("tar", {
    args: ["--list", "--verbose", "--numeric-owner", "--full-time", "--utc", "--file", path],
    env: { TZ: "UTC" },
  }).output();
  const lines = decoder.decode(stdout).trim().split("\n");
  assert.equal(lines.length, small.length);
  for (const line of lines) assert.match(line, / 0\/0 +\d+ 2023-11-14 22:13:20 /);
  assert.match(lines.find((line) => line.includes("run.sh"))!, /^-rwxr-xr-x/);
  const names = lines.map((line) => line.split(" 22:13:20 ")[1]!.split(" -> ")[0]!);
  assert.deepEqual(names, small.map(({ path, kind }) => kind === "folder" ? `${path}/` : path));
});

Deno.test("the sources' digest is for every path, mode and byte", () => {
  const file = (path: string, content: string, isExecutable = false): SourceFile => ({
    path,
    isExecutable,
    bytes: encoder.encode(content),
  });
  const digests = [
    [file("a", "1"), file("b", "2")],
    [file("a", "1"), file("b", "3")],
    [file("a", "1"), file("c", "2")],
    [file("a", "1", true), file("b", "2")],
    [file("a", "1")],
  ].map(digestOf);
  assert.equal(new Set(digests).size, digests.length);
  // printf '644 %s a\n' "$(printf 1 | sha256sum | cut -c1-64)" | sha256sum
  const expected = "3f8ed8db98a42b4978b430f581ca0b0dcea9bd295064e813620c0fc10e0fa174";
  assert.equal(digests.at(-1), `sha256:${expected}`);
});

/** A git repository with two files of an image and one beside it. */
async function repository() {
  const folder = await Deno.makeTempDir();
  const git = async (...args: string[]) => {
    const identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"];
    const result = await new Deno.Command("git", { args: ["-C", folder, ...identity, ...args] })
      .output();
    assert(result.success, decoder.decode(result.stderr));
    return decoder.decode(result.stdout).trim();
  };
  const write = async (path: string, text: string) => {
    await Deno.mkdir(join(folder, path, ".."), { recursive: true });
    await Deno.writeTextFile(join(folder, path), text);
  };
  await git("init", "--quiet");
  await write("src/mod.ts", "export {};\n");
  await write("checksums.txt", "11  deno.lock\n");
  await write("notes.txt", "not in an image\n");
  await git("add", ".");
  await git("commit", "--quiet", "--message", "first", "--date", "2020-01-01T00:00:00Z");
  return {
    folder,
    git,
    write,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("sources are what git tracks, of the commit's time; changes that matter are told", async () => {
  await using project = await repository();
  const { folder, git, write } = project;
  const clean = await readSources(folder);
  assert.equal(clean.commit, await git("rev-parse", "HEAD"));
  assert.equal(String(clean.time), await git("log", "-1", "--format=%ct"));
  assert.deepEqual(clean.files.map(({ path }) => path), ["checksums.txt", "src/mod.ts"]);
  assert.deepEqual(clean.changes, []);

  await write("notes.txt", "changed\n");
  await write("checksums.txt", "11  deno.lock\n22  models/next-dit-3.5b/model.safetensors\n");
  const same = await readSources(folder);
  assert.deepEqual(same.changes, [], "real weights do not make another image");
  assert.equal(digestOf(same.files), digestOf(clean.files));

  await write("src/mod.ts", "export const x = 1;\n");
  await write("src/new.ts", "export {};\n");
  const changed = await readSources(folder);
  assert.deepEqual(changed.changes, [" M src/mod.ts", "?? src/new.ts"]);
  assert(!changed.files.some(({ path }) => path === "src/new.ts"));
  assert.notEqual(digestOf(changed.files), digestOf(clean.files));

  await Deno.remove(join(folder, "src/mod.ts"));
  assert.deepEqual((await readSources(folder)).changes, [" D src/mod.ts", "?? src/new.ts"]);
});

Deno.test("outside of a git repository there is no commit to build from", async () => {
  const folder = await Deno.makeTempDir();
  await assert.rejects(readSources(folder), /git does not tell which: .*Build in a clone/s);
  await Deno.remove(folder);
});

Deno.test("files that only build or test stay out", () => {
  for (
    const path of [
      "README.md",
      "src/mod.ts",
      "tasks/cli/task.ts",
      "models/demo/a",
      "patches/x.patch",
    ]
  ) {
    assert(isInImage(path), path);
  }
  for (
    const path of [
      ".ci/run",
      "models/real/a",
      "tests/x.ts",
      "tasks/checkout/bundle/texts.ts",
      "tasks/checkout/load.ts",
    ]
  ) {
    assert(!isInImage(path), path);
  }
});
