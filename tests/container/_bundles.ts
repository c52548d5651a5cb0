/** Bundles of a small image, and projects to bundle from. */
import { join } from "node:path";
import { type Bundle, type BundleOptions, makeBundle } from "../../src/container/bundle/bundle.ts";
import { layer, legacyArchive, sha256, streamOf, temporaryFolder } from "./_images.ts";

export const EPOCH = 1_700_000_000;
export const NAME = "newbie-0.1.0-cpu";
/** Sizes at which volumes of 1 MiB begin and end inside of them. */
const WEIGHTS = {
  "models/next-dit-3.5b/model.safetensors": 2_500_000,
  "models/next-dit-3.5b/config.json": 100,
  "models/vae/taesd/model.safetensors": 700_000,
  "models/vae/taesd/LICENSE.md": 20,
};

/** Bytes that repeat nowhere. */
export function noise(bytes: number, seed: number): Uint8Array {
  const result = new Uint8Array(bytes);
  let state = seed + 1;
  for (let at = 0; at < bytes; at++) {
    state = Math.imul(state, 1_103_515_245) + 12_345 | 0;
    result[at] = state >>> 16;
  }
  return result;
}

/** A project with weights, their checksums, and an image to go with them. */
export interface Project extends AsyncDisposable {
  readonly path: string;
  readonly base: string;
  /** How often the image was asked for. */
  readonly saved: number;
  bundle(options?: Partial<BundleOptions>): Promise<Bundle>;
}

export async function project({ withWeights = true } = {}): Promise<Project> {
  const folder = await temporaryFolder();
  const root = join(folder.path, "project");
  const sums: string[] = [];
  await Deno.mkdir(join(root, "models/demo"), { recursive: true });
  await Deno.writeTextFile(join(root, "models/demo/model.safetensors"), "the demo model");
  sums.push(`${sha256("the demo model")}  models/demo/model.safetensors\n`);
  for (const [index, [path, bytes]] of Object.entries(WEIGHTS).entries()) {
    if (!withWeights) break;
    await Deno.mkdir(join(root, path, ".."), { recursive: true });
    await Deno.writeFile(join(root, path), noise(bytes, index));
    if (!path.endsWith(".md")) sums.push(`${sha256(noise(bytes, index))}  ${path}\n`);
  }
  await Deno.writeTextFile(join(root, "checksums.txt"), sums.join(""));
  const base = await layer([["etc/", ""], ["etc/os-release", 'ID=debian\nVERSION_ID="12"\n']]);
  const own = await layer([["app/", ""], ["app/noise", String(noise(300_000, 9))]]);
  const archive = await legacyArchive({ layers: [base, own], config: { User: "1" } });
  let saved = 0;
  return {
    path: folder.path,
    base: `sha256:${sha256(base)}`,
    get saved() {
      return saved;
    },
    bundle: (options = {}) =>
      makeBundle({
        image: {
          id: "sha256:1",
          bytes: archive.length,
          reference: "newbie:cpu",
          sourceDateEpoch: EPOCH,
          baseLayers: [`sha256:${sha256(base)}`],
          save() {
            saved++;
            return Promise.resolve(streamOf(archive, 65_536));
          },
        },
        name: NAME,
        version: "0.1.0",
        root,
        withModels: true,
        folder: join(folder.path, "bundle"),
        ...options,
      }),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Runs a command to its end. */
export async function sh(
  command: string,
  args: readonly string[],
  options: Deno.CommandOptions = {},
) {
  const child = new Deno.Command(command, { args: [...args], stdin: "null", ...options });
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}
