/** `deno task graph`: the ONNX graph of a part of the model, described, and written to a file. */
import { Argument, Option } from "commander";
import { RequestError } from "../../src/errors.ts";
import { describeGraph } from "../../src/onnx/describe_graph.ts";
import { type Device, DEVICES, type Dtype, dtypePolicy, type Port } from "../../src/onnx/mod.ts";
import { writeGraph } from "../../src/onnx/write_graph.ts";
import { GRAPH_NAMES, type GraphName, partGraph } from "../../src/pipeline/part_graph.ts";
import { formatBytes } from "../../src/format_bytes.ts";
import { catalogue, run, task } from "../cli/task.ts";
import { print } from "../cli/print.ts";

const { text, both } = catalogue({
  en: {
    description:
      "Compiles the ONNX graph of a part of the model and tells what it is made of. With --out it " +
      "becomes a file that viewers such as Netron open and ONNX Runtime runs. Weights stay in " +
      "their safetensors files; where those lie in another folder, they get a second name beside " +
      "the graph, which takes no room on the disk.",
    part:
      "text-encoder, clip-model, transformer-text (what runs once a prompt), transformer (what " +
      "runs in every step), vae",
    model:
      "the model's folder; without it, the real weights, and the demo model where there are none",
    out: "the .onnx file to write",
    device: "whose graph: operators and types differ",
    dtype: "type of arithmetic; auto is float32 for cpu and bfloat16 for cuda",
    examples: "\nExamples:\n  deno task graph vae\n  deno task graph transformer --out " +
      "outputs/transformer.onnx",
    noDtype: (device: string, dtype: string) =>
      `${device} does not compute in ${dtype}. Leave out --dtype.`,
    inputs: "Inputs",
    outputs: "Outputs",
    operators: (count: number) => `Operators, ${count} nodes`,
    weights: (count: number, size: string) => `Weights: ${count} tensors, ${size}, from`,
    wrote: (path: string) => `Wrote ${path}.`,
    linked: (path: string) => `${path} is a second name of the weights file: keep both together.`,
  },
  zh: {
    description:
      "编译模型某一部分的 ONNX 计算图，并说明它由什么组成。用 --out 写成文件，可用 Netron 等查看器" +
      "打开，也可用 ONNX Runtime 运行。权重留在 safetensors 文件里；权重在另一个文件夹时，会在计算图" +
      "旁边建立硬链接，不占磁盘空间。",
    part:
      "text-encoder、clip-model、transformer-text（每个提示词运行一次）、transformer（每一步运行" +
      "一次）、vae",
    model: "模型的文件夹；不指定时用正式权重，没有正式权重则用演示模型",
    out: "要写入的 .onnx 文件",
    device: "为哪种设备编译：算子和类型各不相同",
    dtype: "运算的数据类型；auto 在 cpu 上为 float32，在 cuda 上为 bfloat16",
    examples: "\n示例：\n  deno task graph vae\n  deno task graph transformer --out " +
      "outputs/transformer.onnx",
    noDtype: (device: string, dtype: string) => `${device} 不能以 ${dtype} 运算。请去掉 --dtype。`,
    inputs: "输入",
    outputs: "输出",
    operators: (count: number) => `算子，共 ${count} 个节点`,
    weights: (count: number, size: string) => `权重：${count} 个张量，${size}，来自`,
    wrote: (path: string) => `已写入 ${path}。`,
    linked: (path: string) => `${path} 是权重文件的硬链接，请与计算图放在一起。`,
  },
});

interface Options {
  readonly json?: true;
  readonly model: string;
  readonly out?: string;
  readonly device: Device;
  readonly dtype: Dtype | "auto";
}

const command = task("graph", text.description)
  .addArgument(new Argument("<part>", text.part).choices(GRAPH_NAMES))
  .option("--model <folder>", text.model, ".")
  .option("--out <file>", text.out)
  .addOption(new Option("--device <name>", text.device).choices(DEVICES).default("cpu"))
  .addOption(
    new Option("--dtype <name>", text.dtype).choices(["auto", "float32", "bfloat16", "float16"])
      .default("auto"),
  )
  .addHelpText("after", text.examples);

await run<Options>(command, async ({ json, model, out, device, dtype }, [part]) => {
  const policy = dtypePolicy(device, dtype);
  if (policy === undefined) throw new RequestError(both((text) => text.noDtype(device, dtype)));
  // Another program has none of the operators that src/kernels adds to ONNX Runtime.
  const graph = await partGraph(model, part as GraphName, { ...policy, ownOperators: false });
  const description = describeGraph(graph);
  const { inputs, outputs, weightFolder } = graph;
  const linked = out === undefined ? [] : await writeGraph(graph, out);
  if (json) {
    return { part, inputs, outputs, ...description, weightFolder, file: out, linked };
  }
  const { nodes, operators, weights } = description;
  print(text.inputs, list(inputs), text.outputs, list(outputs));
  print(text.operators(nodes));
  for (const { name, count } of operators) print(`  ${String(count).padStart(5)}  ${name}`);
  print(text.weights(weights.count, formatBytes(weights.bytes)));
  for (const file of weights.files) print(`  ${weightFolder}/${file}`);
  for (const name of linked) print(text.linked(name));
  if (out !== undefined) print(text.wrote(out));
});

function list(ports: readonly Port[]): readonly string[] {
  return ports.map(({ name, type, dims }) => `  ${name}  ${type} [${dims.join(", ")}]`);
}
