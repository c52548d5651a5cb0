/** Bundles from a stick that somebody else had in their hands. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Readable } from "node:stream";
// Not by the room's mod.ts, which loads the engine's client and all the permissions that it asks for.
import { loadBundle } from "../../../src/container/bundle/load_bundle.ts";
import { openBundle } from "../../../src/container/bundle/open_bundle.ts";
import { parseChecksums } from "../../../src/integrity/mod.ts";
import type { Dice } from "./dice.ts";
import { type Json, jsonText, mutateBytes, mutateJson, wildText } from "./mutate.ts";
import type { FuzzCase } from "./types.ts";

const BLOCK = 512;
const ID = `sha256:${"1".repeat(64)}`;
const LISTED = `${"a".repeat(64)}  models/mine/model.safetensors\n`;
const PATHS: readonly string[] = [
  "models/vae/model.safetensors",
  "models/mine/model.safetensors",
  "models/a b/中文.json",
  "models/../escape",
  "../escape",
  "/tmp/escape",
  `models/y\n${"b".repeat(64)}  models/vae/model.safetensors`,
  "models/.hidden",
  "models/LICENSE.md",
  "escape",
];

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const utf8 = (text: string) => new TextEncoder().encode(text);

/** A file in a tar archive, by POSIX.1-1988's header. */
function entry(name: string, bytes: Uint8Array): Uint8Array {
  const size = Math.ceil(bytes.length / BLOCK) * BLOCK;
  const block = new Uint8Array(BLOCK + size);
  const put = (text: string, at: number) => block.set(utf8(text), at);
  block.set(utf8(name).subarray(0, 100), 0);
  put("0000644\x000000000\x000000000\x00", 100);
  put(`${bytes.length.toString(8).padStart(11, "0")}\x0000000000000\x00`, 124);
  put("        0", 148);
  put("ustar\x0000", 257);
  const sum = block.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\x00 `, 148);
  block.set(bytes, BLOCK);
  return block;
}

function bundle(dice: Dice): Uint8Array {
  const files = new Map<string, Uint8Array>([["image.tar", utf8("image")]]);
  for (let count = dice.roll(4); count > 0; count--) {
    const path = dice.roll(8) === 0 ? `models/${wildText(dice).slice(0, 60)}` : dice.pick(PATHS);
    files.set(path, utf8(`weights ${dice.roll(3)}`));
  }
  const about: Json = {
    format: "newbie-bundle",
    version: 1,
    name: "b",
    image: { reference: "newbie:x", digest: ID, configDigest: ID, platform: "linux/amd64" },
    files: [...files].map(([path, bytes]) => ({
      path,
      bytes: bytes.length,
      sha256: sha256(bytes),
    })),
  };
  const json = dice.roll(3) === 0 ? jsonText(mutateJson(about, dice), dice) : JSON.stringify(about);
  const entries = [["bundle.json", utf8(json)] as const, ...files].map(([name, bytes]) =>
    entry(name, bytes)
  );
  return new Uint8Array([...entries, new Uint8Array(2 * BLOCK)].flatMap((part) => [...part]));
}

/** None may write anywhere but into `models/`, or change what is listed. */
export async function bundles(folder: string): Promise<FuzzCase> {
  const [file, root] = [join(folder, "b.tar"), join(folder, "in/project")];
  const engine = {
    async load(archive: Readable): Promise<string> {
      for await (const _ of archive);
      return "";
    },
    image: () => Promise.resolve({ id: ID }),
  };
  await Deno.mkdir(root, { recursive: true });
  return async (dice) => {
    const whole = bundle(dice);
    await Deno.writeFile(file, dice.roll(3) === 0 ? mutateBytes(whole, dice) : whole);
    await Deno.writeTextFile(join(root, "checksums.txt"), LISTED);
    let refusal: unknown;
    try {
      await loadBundle(await openBundle([file]), engine, { root });
    } catch (error) {
      refusal = error;
    }
    const fault = await faultIn(folder, root);
    await Deno.remove(join(root, "models"), { recursive: true }).catch(() => {});
    if (fault !== undefined) return fault;
    if (refusal !== undefined) throw refusal;
  };
}

async function faultIn(folder: string, root: string): Promise<string | undefined> {
  const names = (place: string) => [...Deno.readDirSync(place)].map(({ name }) => name);
  const strange = [
    ...names(folder).filter((name) => !["b.tar", "in"].includes(name)),
    ...names(join(folder, "in")).filter((name) => name !== "project"),
    ...names(root).filter((name) => !["checksums.txt", "models"].includes(name)),
  ];
  if (strange.length > 0) return `wrote ${JSON.stringify(strange)}`;
  const text = await Deno.readTextFile(join(root, "checksums.txt"));
  if (!text.includes(LISTED)) return "replaced what is listed";
  for (const path of parseChecksums(text, "checksums.txt").keys()) {
    if (`${"a".repeat(64)}  ${path}\n` === LISTED) continue;
    const found = await Deno.stat(join(root, path)).catch(() => undefined);
    if (!found?.isFile) return `lists ${JSON.stringify(path)}, which was not in the bundle`;
  }
}
