/**
 * Bundles on the other side. They are damaged in every way that a stick can damage them, and go to an
 * engine that writes down what it is given.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Readable } from "node:stream";
import fc from "fast-check";
import { ArchiveError } from "../../src/container/archive/archive_error.ts";
import { BundleError } from "../../src/container/bundle/bundle_error.ts";
import { loadBundle, type LoadOptions } from "../../src/container/bundle/load_bundle.ts";
import { bundleSchema } from "../../src/container/bundle/bundle.ts";
import { openBundle } from "../../src/container/bundle/open_bundle.ts";
import { RequestError } from "../../src/errors.ts";
import { ChecksumListError, parseChecksums } from "../../src/integrity/checksum_list.ts";
import { NAME, project, sh } from "./_bundles.ts";
import { layer, namesIn, sha256, temporaryFolder } from "./_images.ts";

const MEBIBYTE = 1 << 20;
const WEIGHTS = [
  "models/next-dit-3.5b/config.json",
  "models/next-dit-3.5b/model.safetensors",
  "models/vae/taesd/LICENSE.md",
  "models/vae/taesd/model.safetensors",
];

/** An engine that reads an archive and knows an image of one ID afterwards. */
function engineWith(id: string, failure?: Error) {
  const taken: string[] = [];
  return {
    taken,
    async load(archive: Readable): Promise<string> {
      const hash = createHash("sha256");
      for await (const piece of archive) hash.update(piece);
      if (failure !== undefined) throw failure;
      taken.push(hash.digest("hex"));
      return "Loaded";
    },
    image: () => Promise.resolve({ id }),
  };
}

/** A bundle, and an empty project to load it into. */
async function bundled({ volumeBytes }: { volumeBytes?: number } = {}) {
  const here = await project();
  const { folder, image, sha256 } = await here.bundle({ volumeBytes });
  const root = join(here.path, "other");
  await Deno.mkdir(root);
  const { description } = await openBundle([folder]);
  return {
    path: here.path,
    folder,
    root,
    image,
    sha256,
    configDigest: description.image.configDigest,
    imageTar: description.files.find(({ path }) => path === "image.tar")!.sha256,
    [Symbol.asyncDispose]: () => here[Symbol.asyncDispose](),
  };
}

Deno.test("what was bundled arrives: the image in the engine, weights and checksums in place", async () => {
  for (const volumeBytes of [undefined, MEBIBYTE]) {
    await using there = await bundled(volumeBytes === undefined ? {} : { volumeBytes });
    await Deno.writeTextFile(join(there.root, "checksums.txt"), `${sha256("x")}  deno.lock\n`);
    const engine = engineWith(there.configDigest);
    const bundle = await openBundle([there.folder], { sha256: there.sha256 });
    const loaded = await loadBundle(bundle, engine, { root: there.root });
    assert.deepEqual(engine.taken, [there.imageTar]);
    assert.deepEqual(loaded.weights, WEIGHTS);
    for (const path of WEIGHTS) {
      const [copy, original] = [join(there.root, path), join(there.path, "project", path)];
      assert.deepEqual(await Deno.readFile(copy), await Deno.readFile(original), path);
    }
    assert.deepEqual(namesIn(join(there.root, "models/vae/taesd")), [
      "LICENSE.md",
      "model.safetensors",
    ]);
    const list = await Deno.readTextFile(join(there.root, "checksums.txt"));
    const checksums = parseChecksums(list, "checksums.txt");
    // Texts are in no list; what was listed stays.
    assert.deepEqual([...checksums.keys()], [
      "deno.lock",
      ...WEIGHTS.filter((path) => !path.endsWith(".md")),
    ]);
    // Again: it is all there.
    const again = await loadBundle(bundle, engine, { root: there.root });
    assert.deepEqual(again.weights, []);
  }
});

Deno.test("an engine that keeps images as containerd does calls it by its manifest", async () => {
  await using there = await bundled();
  const { id } = await loadBundle(await openBundle([there.folder]), engineWith(there.image));
  assert.equal(id, there.image);
  // Without a root the weights stay where they are.
  assert.deepEqual(namesIn(there.root), []);
});

Deno.test("volumes may lie in several folders, or the archive alone without its checksums", async () => {
  await using there = await bundled({ volumeBytes: MEBIBYTE });
  const disc = join(there.path, "disc");
  await Deno.mkdir(disc);
  const names = namesIn(there.folder).filter((name) => /tar\.00[24]$/.test(name));
  for (const name of names) await Deno.rename(join(there.folder, name), join(disc, name));
  await assert.rejects(openBundle([there.folder]), (error) => {
    assert(error instanceof BundleError);
    assert.equal(error.code, "missing");
    assert.deepEqual(error.files, names);
    return true;
  });
  const { volumes } = await openBundle([join(there.folder, `${NAME}.tar.001`), disc]);
  assert.equal(volumes.length, namesIn(there.folder).length + names.length - 4);

  await using whole = await bundled();
  const lone = join(whole.path, "lone.tar");
  await Deno.rename(join(whole.folder, `${NAME}.tar`), lone);
  assert.equal((await openBundle([lone])).description.image.digest, whole.image);
});

Deno.test("any flipped bit and any missing end is found before anything is installed", async () => {
  await using there = await bundled({ volumeBytes: MEBIBYTE });
  const names = namesIn(there.folder);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...names),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      fc.integer({ min: 0, max: 8 }),
      async (name, place, bit) => {
        const path = join(there.folder, name);
        const whole = await Deno.readFile(path);
        const at = Math.floor(place * whole.length);
        const damaged = bit === 8 ? whole.slice(0, at) : whole.slice();
        if (bit < 8) damaged[at]! ^= 1 << bit;
        await Deno.writeFile(path, damaged);
        try {
          const opened = openBundle([there.folder], { sha256: there.sha256 });
          await assert.rejects(opened, (error) => {
            assert(error instanceof BundleError, String(error));
            assert.equal(error.code, "damaged");
            assert(error.message.includes(name), error.message);
            return true;
          });
        } finally {
          await Deno.writeFile(path, whole);
        }
      },
    ),
    { numRuns: 40 },
  );
  await openBundle([there.folder], { sha256: there.sha256 });
});

Deno.test("an archive alone proves itself: cut off, or with one bit changed in a file", async () => {
  await using there = await bundled();
  const lone = join(there.path, "lone.tar");
  const whole = await Deno.readFile(join(there.folder, `${NAME}.tar`));
  for (const length of [0, 700, 100_000, whole.length - 1024]) {
    await Deno.writeFile(lone, whole.subarray(0, length));
    await assert.rejects(openBundle([lone]), (error) => {
      assert(error instanceof ArchiveError || error instanceof BundleError, String(error));
      return /truncated|not-a-bundle/.test(error.code);
    });
  }
  const { out } = await sh("tar", ["-tvRf", join(there.folder, `${NAME}.tar`)]);
  for (const file of ["image.tar", "run.sh", "models/vae/taesd/model.safetensors"]) {
    const line = out.split("\n").find((line) => line.endsWith(` ${file}`))!;
    // GNU tar counts the blocks before an entry's header.
    const block = Number(/^block (\d+):/.exec(line)![1]);
    const damaged = whole.slice();
    damaged[(block + 1) * 512 + 7]! ^= 4;
    await Deno.writeFile(lone, damaged);
    await assert.rejects(openBundle([lone]), (error) => {
      assert(error instanceof BundleError, String(error));
      assert.deepEqual(error.files, [`lone.tar: ${file}`]);
      return true;
    });
  }
});

Deno.test("another bundle than the one that was meant, and what is none, are refused", async () => {
  await using there = await bundled();
  await assert.rejects(openBundle([there.folder], { sha256: sha256("other") }), /another bundle/);
  await using empty = await temporaryFolder();
  await assert.rejects(openBundle([empty.path]), { name: "BundleError", code: "not-a-bundle" });
  await assert.rejects(openBundle([join(empty.path, "no")]), RequestError);
  const text = join(empty.path, "text.tar");
  await Deno.writeTextFile(text, "x".repeat(2000));
  await assert.rejects(openBundle([text]), { name: "ArchiveError", code: "damaged" });
  await Deno.remove(text);
  const none = { name: "BundleError", code: "not-a-bundle" };
  const sums = join(empty.path, "SHA256SUMS");
  for (const list of ["", `${sha256("x")}  readme.txt\n`]) {
    await Deno.writeTextFile(join(empty.path, "readme.txt"), "x");
    await Deno.writeTextFile(sums, list);
    await assert.rejects(openBundle([empty.path]), none, JSON.stringify(list));
  }
  await Deno.remove(sums);
  await Deno.mkdir(sums);
  await assert.rejects(openBundle([empty.path]), none);
  await Deno.remove(sums);
  if (Deno.build.os === "windows") return;
  await new Deno.Command("mkfifo", { args: [sums] }).output();
  await assert.rejects(openBundle([empty.path]), none);
});

Deno.test("an archive that describes no image is no bundle", async () => {
  await using folder = await temporaryFolder();
  const description = {
    format: "newbie-bundle",
    version: 1,
    name: NAME,
    image: {
      reference: "newbie:cpu",
      digest: `sha256:${sha256("b")}`,
      configDigest: `sha256:${sha256("b")}`,
      platform: "linux/amd64",
    },
    files: [{ path: "models/a", bytes: 1, sha256: sha256("a") }],
  };
  const tar = await layer([["bundle.json", JSON.stringify(description)], ["models/a", "a"]]);
  await Deno.writeFile(join(folder.path, "one.tar"), tar);
  await assert.rejects(openBundle([join(folder.path, "one.tar")]), {
    name: "BundleError",
    code: "not-a-bundle",
  });
});

/** Expects that loading fails, and that the project is as it was. */
async function leavesNothing(
  there: Awaited<ReturnType<typeof bundled>>,
  engine: ReturnType<typeof engineWith>,
  options: LoadOptions,
  expected: (error: unknown) => boolean,
): Promise<void> {
  const before = namesIn(there.root);
  const bundle = await openBundle([there.folder]);
  await assert.rejects(loadBundle(bundle, engine, { root: there.root, ...options }), expected);
  assert.deepEqual(namesIn(there.root), before);
}

Deno.test("an engine that fails, or has another image, leaves no weights behind", async () => {
  await using there = await bundled();
  const failure = new Error("no space left on device");
  await leavesNothing(there, engineWith("", failure), {}, (error) => error === failure);
  await leavesNothing(there, engineWith("sha256:other"), {}, (error) => {
    return error instanceof BundleError && error.code === "engine";
  });
});

Deno.test("whoever ends it finds nothing half done", async () => {
  for (const stage of ["weights", "image"]) {
    await using there = await bundled();
    const controller = new AbortController();
    const options: LoadOptions = {
      signal: controller.signal,
      onProgress: (progress) => progress.stage === stage && controller.abort("ended"),
    };
    const engine = engineWith(there.configDigest);
    await leavesNothing(there, engine, options, (error) => error === "ended");
    assert.deepEqual(engine.taken, []);
  }
});

Deno.test("another file in a weight's place stays, and is named", async () => {
  await using there = await bundled();
  await Deno.mkdir(join(there.root, "models/vae/taesd"), { recursive: true });
  const file = join(there.root, "models/vae/taesd/model.safetensors");
  await Deno.writeTextFile(file, "mine");
  const engine = engineWith(there.configDigest);
  await leavesNothing(there, engine, {}, (error) => {
    assert(error instanceof BundleError);
    assert.deepEqual(error.files, ["models/vae/taesd/model.safetensors"]);
    return error.code === "in-the-way";
  });
  assert.equal(await Deno.readTextFile(file), "mine");
  assert.deepEqual(engine.taken, []);
});

Deno.test("a listed checksum is never replaced by the bundle's, and nothing is installed", async () => {
  await using there = await bundled();
  const listed = `${sha256("another")}  models/vae/taesd/model.safetensors\n`;
  await Deno.writeTextFile(join(there.root, "checksums.txt"), listed);
  const engine = engineWith(there.configDigest);
  await leavesNothing(there, engine, {}, (error) => {
    assert(error instanceof BundleError);
    assert.deepEqual(error.files, ["models/vae/taesd/model.safetensors"]);
    assert(error.message.includes(sha256("another")));
    return error.code === "listed-otherwise";
  });
  assert.equal(await Deno.readTextFile(join(there.root, "checksums.txt")), listed);
  assert.deepEqual(engine.taken, []);
});

Deno.test("weights that were in place already are listed", async () => {
  await using there = await bundled();
  const path = "models/vae/taesd/model.safetensors";
  await Deno.mkdir(join(there.root, path, ".."), { recursive: true });
  await Deno.copyFile(join(there.path, "project", path), join(there.root, path));
  const bundle = await openBundle([there.folder]);
  const { weights } = await loadBundle(bundle, engineWith(there.configDigest), {
    root: there.root,
  });
  assert(!weights.includes(path));
  const list = await Deno.readTextFile(join(there.root, "checksums.txt"));
  assert(parseChecksums(list, "checksums.txt").has(path));
});

Deno.test("a list that cannot be read stays, and nothing is installed", async () => {
  await using there = await bundled();
  await Deno.writeTextFile(join(there.root, "checksums.txt"), "no list\n");
  await leavesNothing(there, engineWith(there.configDigest), {}, (error) => {
    return error instanceof ChecksumListError;
  });
  assert.equal(await Deno.readTextFile(join(there.root, "checksums.txt")), "no list\n");
});

Deno.test("a bundle cannot name files so that they are hidden, lie elsewhere or end a line", () => {
  const file = (path: string) => ({ path, bytes: 1, sha256: sha256("a") });
  const digest = `sha256:${sha256("b")}`;
  const image = { reference: "newbie:cpu", digest, configDigest: digest, platform: "linux/amd64" };
  const about = (...paths: string[]) =>
    bundleSchema.safeParse({
      format: "newbie-bundle",
      version: 1,
      name: NAME,
      image,
      files: paths.map(file),
    }).success;
  assert(about("image.tar", "models/中文/a b.safetensors"));
  const wrong = [
    "models/y\nab",
    "models/y\r",
    "models/.hidden",
    "models/.git/config",
    "../a",
    "/a",
  ];
  wrong.push(
    "models/a\\b",
    "models/\u202eb",
    "models/\u2028",
    "models/\x1b[31m",
    "models/",
    "a//b",
  );
  for (const path of wrong) assert(!about(path), JSON.stringify(path));
  assert(!about("models/a", "models/a"), "the same file twice");
});
