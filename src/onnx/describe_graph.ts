import proto from "onnx-proto";
import type { CompiledGraph } from "./graph.ts";

/** What a graph is made of. */
export interface GraphDescription {
  readonly nodes: number;
  /** Every operator in use, the most frequent first; ai.onnx's without their domain. */
  readonly operators: readonly { readonly name: string; readonly count: number }[];
  /** The weights that it reads from safetensors files. */
  readonly weights: {
    readonly count: number;
    readonly bytes: number;
    /** Relative to the graph's `weightFolder`. */
    readonly files: readonly string[];
  };
}

/** Counts what a compiled graph is made of. */
export function describeGraph({ model }: CompiledGraph): GraphDescription {
  const { node = [], initializer = [] } = proto.onnx.ModelProto.decode(model).graph ?? {};
  const counts = new Map<string, number>();
  for (const { domain, opType } of node ?? []) {
    const name = domain ? `${domain}.${opType}` : String(opType);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const files = new Set<string>();
  let [count, bytes] = [0, 0];
  for (const { externalData } of initializer ?? []) {
    if (!externalData?.length) continue;
    const value = (key: string) => externalData.find((entry) => entry.key === key)?.value ?? "";
    files.add(value("location"));
    bytes += Number(value("length"));
    count++;
  }
  const operators = [...counts].map(([name, count]) => ({ name, count }));
  operators.sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
  return {
    nodes: node?.length ?? 0,
    operators,
    weights: { count, bytes, files: [...files].sort() },
  };
}
