/**
 * The demo model on WebGPU, by a driver that computes on the processor: SwiftShader. Chromium brings
 * it and a loader, and where it is installed these tests run.
 */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { GRAPH_NAMES } from "../../src/pipeline/part_graph.ts";
import { psnr } from "../../src/image/mod.ts";

/** Where packages have it: Debian's chromium, Fedora's, Google's Chrome. */
const DRIVERS = ["/usr/lib/chromium", "/usr/lib64/chromium-browser", "/opt/google/chrome"]
  .map((folder) => join(folder, "vk_swiftshader_icd.json"));
/** The picture of `_draw_on.ts`. */
const SIZE = 64;
/** Both compute in float32; single operators differ by some 1e-7. */
const LEAST_DB = 60;

const found = await Promise.all(
  DRIVERS.map((path) => Deno.stat(path).then(() => [path], () => [])),
);
const [driver] = found.flat();

/** Runs a program on the driver. */
async function onDriver(program: string, ...args: string[]): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--frozen", "--allow-all", program, ...args],
      // The loader of Vulkan, beside the driver, reads these when the process asks for an adapter.
      env: {
        LD_LIBRARY_PATH: dirname(driver!),
        VK_DRIVER_FILES: driver!,
        XDG_RUNTIME_DIR: folder,
      },
      stdout: "null",
      stderr: "piped",
    }).output();
    const log = new TextDecoder().decode(stderr);
    assert.ok(success, log);
    return log;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What ONNX Runtime's WebGPU has no kernels for, and is done once a run and on little. */
const ON_THE_CPU = [
  // Of the timestep: the waves of its embedding.
  "Mul",
  "Cos",
  "Sin",
  // The latents' patches, before the first layer.
  "SpaceToDepth",
  // Gemma's causal mask.
  "GreaterOrEqual",
  // The finished picture's steps of colour, after the last layer.
  "Round",
];

Deno.test({
  name: "WebGPU's results do not cross to the CPU and back between layers",
  ignore: driver === undefined,
  fn: async () => {
    // The log tells of each copy that ONNX Runtime puts into a graph, and of its node.
    const log = await onDriver("tests/pipeline/_log_copies.ts", "models/demo");
    const graphs = log.split(/^GRAPH /m).slice(1);
    assert.deepEqual(graphs.map((text) => text.split("\n", 1)[0]), [...GRAPH_NAMES]);
    const copies = [...log.matchAll(/Add Memcpy\w+ (?:before|after) ([A-Za-z]+)_\d+/g)];
    assert.deepEqual(copies.filter(([, operator]) => !ON_THE_CPU.includes(operator!)), []);
  },
});

Deno.test({
  name: "WebGPU draws the health check's prompt as the CPU does",
  ignore: driver === undefined,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const draw = async (device: "cpu" | "webgpu") => {
        const output = join(folder, device);
        await onDriver("tests/pipeline/_draw_on.ts", device, output);
        const data = new Uint8ClampedArray(await Deno.readFile(output));
        return { data, width: SIZE, height: SIZE };
      };
      const [one, other] = [await draw("cpu"), await draw("webgpu")];
      const similarity = psnr(one, other);
      assert.ok(similarity >= LEAST_DB, `${similarity} dB`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
