/**
 * `deno task kernels`: each src/kernels/*.cu becomes a .ptx and a .cubins beside it; only needed by
 * people who change the kernels.
 */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
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
/** For which GPUs a source is compiled. */
interface Targets {
  /** The oldest of them, whose assembly the driver translates for all. */
  readonly assembly: string;
  /** Those for which there is machine code, too. */
  readonly machineCode: readonly string[];
}

/** From the oldest with arithmetic in bfloat16 on: cards that people have. */
const FROM_AMPERE: Targets = {
  assembly: "compute_80",
  machineCode: ["sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"],
};
const HOPPER: Targets = { assembly: "compute_90a", machineCode: ["sm_90a"] };

const SOURCES: Readonly<Record<string, Targets>> = {
  kernels: FROM_AMPERE,
  int8: FROM_AMPERE,
  hopper_attention: HOPPER,
  hopper_gated: HOPPER,
  hopper_int8: HOPPER,
};

const text = inLanguage({
  en: {
    description:
      "Compiles src/kernels/*.cu to files ending in .ptx and .cubins beside them, with NVRTC of CUDA 13.0.",
    library: "NVRTC; LD_LIBRARY_PATH must name its folder",
    failed: (source: string, log: string) => [
      `${source} does not compile:`,
      ...log.trimEnd().split("\n"),
    ],
    done: (files: readonly string[], milliseconds: number) =>
      `Wrote ${files.join(" and ")}, ${Math.round(milliseconds)} ms.`,
  },
  zh: {
    description:
      "用 CUDA 13.0 的 NVRTC 把 src/kernels/*.cu 编译成旁边以 .ptx 和 .cubins 结尾的文件。",
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
  for (const [name, { assembly, machineCode }] of Object.entries(SOURCES)) {
    const source = await kernelSource(`${FOLDER}${name}.cu`);
    const hash = createHash("sha256").update(source).digest("hex");
    const first = `// ${name}.cu, SHA-256 ${hash}\n`;
    const write = async (ending: string, rest: string) => {
      const file = `${FOLDER}${name}.${ending}`;
      await writeFileAtomically(file, new TextEncoder().encode(`${first}${rest}`));
      files.push(file);
    };
    const compiled = (architecture: string, form: Form) =>
      compile(nvrtc, { name: `${name}.cu`, source, architecture, form });
    // The last byte is C's zero.
    const ptx = compiled(assembly, "PTX").subarray(0, -1);
    await write("ptx", new TextDecoder().decode(ptx));
    const lines = machineCode.map((architecture) => {
      const code = gzipSync(compiled(architecture, "CUBIN"), { level: 9 });
      return `${architecture} ${code.toString("base64")}\n`;
    });
    await write("cubins", lines.join(""));
  }
  const say = json ? tell : print;
  say(text.done(files, performance.now() - start));
  return { files };
});

/** Assembly, or machine code. */
type Form = "PTX" | "CUBIN";

/** What is compiled, and to what. */
interface Compilation {
  readonly name: string;
  readonly source: string;
  readonly architecture: string;
  readonly form: Form;
}

/** @throws {TaskFailure} With NVRTC's words, when the source does not compile. */
function compile(
  nvrtc: string,
  { name, source, architecture, form }: Compilation,
): Uint8Array<ArrayBuffer> {
  const { symbols } = Deno.dlopen(nvrtc, {
    nvrtcCreateProgram: {
      parameters: ["buffer", "buffer", "buffer", "i32", "pointer", "pointer"],
      result: "i32",
    },
    nvrtcCompileProgram: { parameters: ["u64", "i32", "buffer"], result: "i32" },
    nvrtcGetPTXSize: { parameters: ["u64", "buffer"], result: "i32" },
    nvrtcGetPTX: { parameters: ["u64", "buffer"], result: "i32" },
    nvrtcGetCUBINSize: { parameters: ["u64", "buffer"], result: "i32" },
    nvrtcGetCUBIN: { parameters: ["u64", "buffer"], result: "i32" },
    nvrtcGetProgramLogSize: { parameters: ["u64", "buffer"], result: "i32" },
    nvrtcGetProgramLog: { parameters: ["u64", "buffer"], result: "i32" },
  });
  const place = new BigUint64Array(1);
  symbols.nvrtcCreateProgram(place, cString(source), cString(name), 0, null, null);
  const program = place[0]!;
  const read = (what: Form | "ProgramLog") => {
    symbols[`nvrtcGet${what}Size`](program, place);
    const bytes = new Uint8Array(Number(place[0]));
    symbols[`nvrtcGet${what}`](program, bytes);
    return bytes;
  };
  const options = [`--gpu-architecture=${architecture}`, "--std=c++17"].map(cString);
  const status = symbols.nvrtcCompileProgram(
    program,
    options.length,
    BigUint64Array.from(options, addressOf),
  );
  if (status !== 0) {
    const log = new TextDecoder().decode(read("ProgramLog").subarray(0, -1));
    throw new TaskFailure(text.failed(name, log), {});
  }
  return read(form);
}
