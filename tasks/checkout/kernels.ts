/**
 * `deno task kernels`: src/kernels/kernels.cu becomes kernels.ptx; only needed by people who change
 * the kernels.
 */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { writeFileAtomically } from "../../src/files.ts";
import { addressOf, cString } from "../../src/runtime/native/c_api.ts";
import { inLanguage, run, task, TaskFailure } from "../cli/task.ts";
import { print, tell } from "../cli/print.ts";

interface Options {
  readonly json?: true;
  readonly nvrtc: string;
}

const FOLDER = fileURLToPath(new URL("../../src/kernels/", import.meta.url));
/** The oldest GPUs with arithmetic in bfloat16: their assembly runs on all later ones. */
const OPTIONS = ["--gpu-architecture=compute_80", "--std=c++17"];

const text = inLanguage({
  en: {
    description:
      "Compiles src/kernels/kernels.cu to kernels.ptx beside it, with NVRTC of CUDA 13.0.",
    library: "NVRTC; LD_LIBRARY_PATH must name its folder",
    failed: (log: string) => ["kernels.cu does not compile:", ...log.trimEnd().split("\n")],
    done: (file: string, milliseconds: number) => `Wrote ${file}, ${Math.round(milliseconds)} ms.`,
  },
  zh: {
    description: "用 CUDA 13.0 的 NVRTC 把 src/kernels/kernels.cu 编译成旁边的 kernels.ptx。",
    library: "NVRTC；LD_LIBRARY_PATH 须包含其所在的文件夹",
    failed: (log: string) => ["kernels.cu 无法编译：", ...log.trimEnd().split("\n")],
    done: (file: string, milliseconds: number) =>
      `已写入 ${file}，用时 ${Math.round(milliseconds)} 毫秒。`,
  },
});

const command = task("kernels", text.description)
  .option("--nvrtc <path>", text.library, "libnvrtc.so.13");

await run<Options>(command, async ({ json, nvrtc }) => {
  const start = performance.now();
  const source = await Deno.readTextFile(`${FOLDER}kernels.cu`);
  const hash = createHash("sha256").update(source).digest("hex");
  const file = `${FOLDER}kernels.ptx`;
  const assembly = `// kernels.cu, SHA-256 ${hash}\n${compile(nvrtc, source)}`;
  await writeFileAtomically(file, new TextEncoder().encode(assembly));
  const say = json ? tell : print;
  say(text.done(file, performance.now() - start));
  return { file };
});

/** @throws {TaskFailure} With NVRTC's words, when the source does not compile. */
function compile(nvrtc: string, source: string): string {
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
  symbols.nvrtcCreateProgram(place, cString(source), cString("kernels.cu"), 0, null, null);
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
  const options = OPTIONS.map(cString);
  const status = symbols.nvrtcCompileProgram(
    program,
    options.length,
    BigUint64Array.from(options, addressOf),
  );
  if (status !== 0) {
    throw new TaskFailure(
      text.failed(read(symbols.nvrtcGetProgramLogSize, symbols.nvrtcGetProgramLog)),
      {},
    );
  }
  return read(symbols.nvrtcGetPTXSize, symbols.nvrtcGetPTX);
}
