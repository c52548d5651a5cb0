/**
 * `deno task kernels`: each src/kernels/*.cu becomes a .ptx beside it; only needed by people who
 * change the kernels.
 */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { writeFileAtomically } from "../../src/files.ts";
import { kernelSource } from "./kernel_source.ts";
import { addressOf, cString } from "../../src/runtime/native/c_api.ts";
import { inLanguage, run, task, TaskFailure } from "../cli/task.ts";
import { print, tell } from "../cli/print.ts";

interface Options {
  readonly json?: true;
  readonly nvrtc: string;
}

const FOLDER = fileURLToPath(new URL("../../src/kernels/", import.meta.url));
/**
 * What is compiled, and for which GPUs: the oldest with arithmetic in bfloat16, whose assembly runs on
 * all later ones, and Hopper's alone.
 */
const SOURCES = {
  kernels: "compute_80",
  int8: "compute_80",
  hopper_attention: "compute_90a",
  hopper_gated: "compute_90a",
  hopper_int8: "compute_90a",
} as const;

const text = inLanguage({
  en: {
    description:
      "Compiles src/kernels/*.cu to files ending in .ptx beside them, with NVRTC of CUDA 13.0.",
    library: "NVRTC; LD_LIBRARY_PATH must name its folder",
    failed: (source: string, log: string) => [
      `${source} does not compile:`,
      ...log.trimEnd().split("\n"),
    ],
    done: (files: readonly string[], milliseconds: number) =>
      `Wrote ${files.join(" and ")}, ${Math.round(milliseconds)} ms.`,
  },
  zh: {
    description: "用 CUDA 13.0 的 NVRTC 把 src/kernels/*.cu 编译成旁边以 .ptx 结尾的文件。",
    library: "NVRTC；LD_LIBRARY_PATH 须包含其所在的文件夹",
    failed: (source: string, log: string) => [
      `${source} 无法编译：`,
      ...log.trimEnd().split("\n"),
    ],
    done: (files: readonly string[], milliseconds: number) =>
      `已写入 ${files.join("、")}，用时 ${Math.round(milliseconds)} 毫秒。`,
  },
});

const command = task("kernels", text.description)
  .option("--nvrtc <path>", text.library, "libnvrtc.so.13");

await run<Options>(command, async ({ json, nvrtc }) => {
  const start = performance.now();
  const files: string[] = [];
  for (const [name, architecture] of Object.entries(SOURCES)) {
    const source = await kernelSource(`${FOLDER}${name}.cu`);
    const hash = createHash("sha256").update(source).digest("hex");
    const file = `${FOLDER}${name}.ptx`;
    const compiled = compile(nvrtc, { name: `${name}.cu`, source, architecture });
    const assembly = `// ${name}.cu, SHA-256 ${hash}\n${compiled}`;
    await writeFileAtomically(file, new TextEncoder().encode(assembly));
    files.push(file);
  }
  const say = json ? tell : print;
  say(text.done(files, performance.now() - start));
  return { files };
});

/** @throws {TaskFailure} With NVRTC's words, when the source does not compile. */
function compile(
  nvrtc: string,
  { name, source, architecture }: Readonly<Record<"name" | "source" | "architecture", string>>,
): string {
  const { symbols } = Deno.dlopen(nvrtc, {
    nvrtcCreateProgram: {
      parameters: ["buffer", "buffer", "buffer", "i32", "pointer", "pointer"],
      result: "i32",
    },
    nvrtcCompileProgram: { parameters: ["u64", "i32", "buffer"], result: "i32" },
    nvrtcGetPTXSize: { parameters: ["u64", "buffer"], result: "i32" },
    nvrtcGetPTX: { parameters: ["u64", "buffer"], result: "i32" },
    nvrtcGetProgramLogSize: { parameters: ["u64", "buffer"], result: "i32" },
    nvrtcGetProgramLog: { parameters: ["u64", "buffer"], result: "i32" },
  });
  const place = new BigUint64Array(1);
  symbols.nvrtcCreateProgram(place, cString(source), cString(name), 0, null, null);
  const program = place[0]!;
  const read = (
    size: (program: bigint, place: BigUint64Array<ArrayBuffer>) => number,
    fill: (program: bigint, bytes: Uint8Array<ArrayBuffer>) => number,
  ) => {
    size(program, place);
    const bytes = new Uint8Array(Number(place[0]));
    fill(program, bytes);
    // The last byte is C's zero.
    return new TextDecoder().decode(bytes.subarray(0, -1));
  };
  const options = [`--gpu-architecture=${architecture}`, "--std=c++17"].map(cString);
  const status = symbols.nvrtcCompileProgram(
    program,
    options.length,
    BigUint64Array.from(options, addressOf),
  );
  if (status !== 0) {
    throw new TaskFailure(
      text.failed(name, read(symbols.nvrtcGetProgramLogSize, symbols.nvrtcGetProgramLog)),
      {},
    );
  }
  return read(symbols.nvrtcGetPTXSize, symbols.nvrtcGetPTX);
}
