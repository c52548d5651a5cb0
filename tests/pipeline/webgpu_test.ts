/** The demo model on WebGPU, by a driver that computes on the processor: SwiftShader, of chromium. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { psnr } from "../../src/image/mod.ts";

/** Where Debian's packages chromium and libvulkan1 have the driver and its loader. */
const DRIVER = "/usr/lib/chromium/vk_swiftshader_icd.json";
const LOADER = "/usr/lib/x86_64-linux-gnu/libvulkan.so.1";
/** The picture of `_draw_on.ts`. */
const SIZE = 64;
/** Both compute in float32; single operators differ by some 1e-7. */
const LEAST_DB = 60;

const isHere = await Promise.all([DRIVER, LOADER].map((path) => Deno.stat(path)))
  .then(() => true, () => false);

Deno.test({
  name: "WebGPU draws the health check's prompt as the CPU does",
  ignore: !isHere,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const draw = async (device: "cpu" | "webgpu") => {
        const output = join(folder, device);
        const { success, stderr } = await new Deno.Command(Deno.execPath(), {
          args: ["run", "--frozen", "--allow-all", "tests/pipeline/_draw_on.ts", device, output],
          // The loader of Vulkan reads these when the process asks for an adapter.
          env: { VK_DRIVER_FILES: DRIVER, XDG_RUNTIME_DIR: folder },
          stdout: "null",
          stderr: "piped",
        }).output();
        assert.ok(success, new TextDecoder().decode(stderr));
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
