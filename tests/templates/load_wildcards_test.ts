import assert from "node:assert/strict";
import { expandTemplate, loadWildcards, type Wildcards } from "../../src/templates/mod.ts";
import { RequestError } from "../../src/errors.ts";
import { inTempFolder } from "../_folders.ts";

const texts = (wildcards: Wildcards, name: string) =>
  wildcards.values(name).map(({ text }) => text);

Deno.test("wildcards have the names of their files and lists, and say where their values stand", async () => {
  await inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/hair/.hidden`, { recursive: true });
    await Deno.writeTextFile(`${folder}/hair/colour.txt`, "\ufeff# x\nred\r\n blue \n\nred\n");
    await Deno.writeTextFile(`${folder}/hair/._colour.txt`, "junk");
    await Deno.writeTextFile(`${folder}/hair/.hidden/x.txt`, "junk");
    await Deno.writeTextFile(`${folder}/notes.md`, "junk");
    await Deno.writeTextFile(`${folder}/all.yml`, "a:\n  - x\n  - 2::y\n  b: 1\n".slice(0, 19));
    const wildcards = await loadWildcards(folder);
    assert.deepEqual(wildcards.names, ["a", "hair/colour"]);
    assert.deepEqual(texts(wildcards, "hair/colour"), ["blue", "red"]);
    assert.deepEqual(texts(wildcards, "colour"), ["blue", "red"]);
    assert.deepEqual(texts(wildcards, "/hair\\colour/"), ["blue", "red"]);
    assert.deepEqual(texts(wildcards, "nothing"), []);
    assert.deepEqual(wildcards.values("a"), [
      { text: "x", weight: 1, file: `${folder}/all.yml`, line: 2 },
      { text: "y", weight: 2, file: `${folder}/all.yml`, line: 3 },
    ]);
  });
});

Deno.test("numbers are values as they are written, UTF-16 is read, and lists without a value are there, and empty", async () => {
  await inTempFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a.yaml`, "ages: [7, 1.50, x]\nnone: []\n");
    const utf16 = new Uint8Array(
      Uint16Array.from([..."\ufeffrot\r\nblau"].map((it) => it.charCodeAt(0))).buffer,
    );
    await Deno.writeFile(`${folder}/farbe.txt`, utf16);
    await Deno.writeTextFile(`${folder}/blank.txt`, "# nothing yet\n\n");
    const wildcards = await loadWildcards(folder);
    assert.deepEqual(texts(wildcards, "ages"), ["1.50", "7", "x"]);
    assert.deepEqual(texts(wildcards, "farbe"), ["blau", "rot"]);
    assert.deepEqual(wildcards.names, ["ages", "blank", "farbe", "none"]);
    for (const name of ["blank", "none"]) {
      assert.throws(
        () => expandTemplate(`__${name}__`, { seed: 1, wildcards }),
        new RegExp(`the wildcard __${name}__ is there, but .* no value`),
      );
    }
  });
});

Deno.test("names with dots and dots alone lead out of no folder", async () => {
  await inTempFolder(async (folder) => {
    await Deno.mkdir(`${folder}/wildcards`);
    await Deno.writeTextFile(`${folder}/secret.txt`, "secret");
    await Deno.writeTextFile(`${folder}/wildcards/v1.5.txt`, "x");
    const wildcards = await loadWildcards(`${folder}/wildcards`);
    for (const name of ["../secret", "..", "/etc/passwd", "**/../secret"]) {
      assert.deepEqual(texts(wildcards, name), [], name);
    }
    assert.deepEqual(texts(wildcards, "v1.5"), ["x"]);
  });
});

Deno.test("folders and files that cannot be read are named, in both languages", async () => {
  await inTempFolder(async (folder) => {
    const refused = async (message: RegExp, work: () => Promise<unknown>) => {
      await assert.rejects(work, (error) => {
        assert(error instanceof RequestError, String(error));
        assert.match(error.message, message);
        assert.notEqual(error.explain("zh"), error.message);
        return true;
      });
    };
    await refused(
      /folder .*\/none with the wildcards is missing/,
      () => loadWildcards(`${folder}/none`),
    );
    const write = async (name: string, content: string | Uint8Array) => {
      for await (const { name } of Deno.readDir(folder)) await Deno.remove(`${folder}/${name}`);
      if (typeof content === "string") await Deno.writeTextFile(`${folder}/${name}`, content);
      else await Deno.writeFile(`${folder}/${name}`, content);
    };
    await write("bad.yaml", "a: [1, 2\nb: }");
    await refused(/bad\.yaml is damaged: .*line/, () => loadWildcards(folder));
    await write("bomb.yaml", bomb());
    await loadWildcards(folder);
    await write("latin.txt", Uint8Array.of(0xe9, 0x0a));
    await refused(
      /latin\.txt is neither UTF-8 nor UTF-16 text\. Save it as UTF-8/,
      async () => (await loadWildcards(folder)).values("latin"),
    );
    await write("large.json", `["${"a".repeat(1 << 22)}"]`);
    await refused(/large\.json is too large/, () => loadWildcards(folder));
  });
});

/** A list of lists of lists …, each ten times the one before: a billion in nine lines. */
function bomb(): string {
  const lines = ["l0: &l0 [x]"];
  for (let level = 1; level < 10; level++) {
    lines.push(`l${level}: &l${level} [${Array(10).fill(`*l${level - 1}`).join(", ")}]`);
  }
  return lines.join("\n");
}

Deno.test("a link that leads back to its own folder ends", async () => {
  await inTempFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/x.txt`, "x");
    await Deno.symlink(folder, `${folder}/again`);
    const wildcards = await loadWildcards(folder);
    assert(wildcards.names.includes("x"));
    assert.deepEqual(texts(wildcards, "**/x"), ["x"]);
  });
});
