/** A diagnosis as people read it: sections of rows and findings, 80 columns wide. */
import { dirname } from "node:path";
import {
  type Area,
  type Diagnosis,
  type Facts,
  type Finding,
  isSound,
  type ModelFacts,
  NEWBIE,
  type Severity,
  SLOTS,
} from "../../src/doctor/mod.ts";
import { formatBytes } from "../../src/format_bytes.ts";
import { visible } from "../../src/shown.ts";
import { partWords } from "../../src/families/mod.ts";
import { columnsOf, padColumns, wrapColumns } from "../cli/columns.ts";
import { inLanguage } from "../cli/language.ts";

const WIDTH = 80;
const MARKS: Readonly<Record<Severity, string>> = { ok: "✓", note: "·", warning: "!", error: "✗" };
const COLORS: Readonly<Record<Severity, number>> = { ok: 32, note: 36, warning: 33, error: 31 };
const BOLD = 1;
const DIM = 2;
const LIBRARY_MARKS = { found: "ok", elsewhere: "warning", missing: "error" } as const;
/** Between the columns of a table. */
const GAP = "  ";

/** What each part is called. */
const words = inLanguage({ en: partWords("en"), zh: partWords("zh") });

const text = inLanguage({
  en: {
    sections: {
      system: "System",
      gpu: "GPU",
      libraries: "CUDA libraries",
      provider: "Execution provider",
      models: "Models",
    },
    rows: {
      system: "Operating system",
      container: "Container",
      cpu: "Processor",
      memory: "Memory",
      disk: "Free disk space",
      deno: "Deno",
      runtime: "ONNX Runtime",
      glibc: "glibc",
      driver: "NVIDIA driver",
      layout: "Found",
      adapters: "Adapters",
    },
    containers: { docker: "Docker", podman: "Podman", kubernetes: "Kubernetes", other: "yes" },
    cores: (usable: number, all: number) =>
      usable === all ? `${all} cores` : `${usable} of ${all} cores usable`,
    memory: (total: string, free: string) => `${total}, ${free} available`,
    limit: (limit: string) => ` (limited to ${limit})`,
    cuda: (version: string) => `CUDA up to ${version}`,
    capability: "compute capability",
    noGpu: "none found",
    hidden: "hidden by CUDA_VISIBLE_DEVICES",
    pci: (count: number) => `${count} on the PCI bus`,
    unknown: "unknown",
    provider: "CUDA provider",
    beside: "beside the binding",
    absent: "not installed",
    states: { found: "found", elsewhere: "not on the loader's path", missing: "missing" },
    looked: (folders: string) => `Looked for in ${folders}`,
    notNeeded: (found: number, all: number) =>
      `Needed with an NVIDIA GPU only. Found: ${found} of ${all}; --json names each.`,
    fits: "fits",
    unfit: "cannot be used",
    join: (...parts: string[]) => parts.join(", "),
    about: (what: string, more: string) => `${what}: ${more}`,
    uses: (provider: string) => `device "auto" uses ${provider}.`,
    providers: { cpu: "the CPU", cuda: "CUDA", webgpu: "WebGPU" },
    whyNot: "What stands between this machine and CUDA:",
    layouts: {
      toolkit: "toolkit layout",
      diffusers: "Hugging Face pipeline folder",
      comfyui: "ComfyUI single files",
    },
    demo: "demo model",
    slots: "Places for the published model:",
    empty: "empty",
    parameters: "M parameters",
    published: {
      transformer: "NewBie-image-Exp0.1 transformer",
      textEncoder: "Gemma 3 4B",
      clipModel: "Jina CLIP v2",
      vae: "FLUX VAE or TAEF1",
    },
    estimates: (size: number) => `${size} × ${size}`,
    needs: "Memory for one picture:",
    on: { cpu: "CPU", cuda: "CUDA", webgpu: "WebGPU" },
    fitsNames: { used: "this model", demo: "demo model", published: "published model" },
    all: (bytes: string) => `${bytes} with everything loaded`,
    one: (bytes: string, mode: string) => `${bytes} with offload: ${mode}`,
    formula:
      "Weights that reach the device (4 bytes a value on the CPU, 2 on CUDA; embedding tables " +
      "excluded) + workspace of every loaded part + runtime.",
  },
  zh: {
    sections: {
      system: "系统",
      gpu: "显卡",
      libraries: "CUDA 库",
      provider: "执行提供程序",
      models: "模型",
    },
    rows: {
      system: "操作系统",
      container: "容器",
      cpu: "处理器",
      memory: "内存",
      disk: "剩余磁盘空间",
      deno: "Deno",
      runtime: "ONNX Runtime",
      glibc: "glibc",
      driver: "NVIDIA 驱动",
      layout: "已找到",
      adapters: "适配器",
    },
    containers: { docker: "Docker", podman: "Podman", kubernetes: "Kubernetes", other: "是" },
    cores: (usable: number, all: number) =>
      usable === all ? `${all} 核` : `${all} 核，可用 ${usable} 核`,
    memory: (total: string, free: string) => `${total}，可用 ${free}`,
    limit: (limit: string) => `（上限 ${limit}）`,
    cuda: (version: string) => `最高支持 CUDA ${version}`,
    capability: "计算能力",
    noGpu: "未找到",
    hidden: "被 CUDA_VISIBLE_DEVICES 隐藏",
    pci: (count: number) => `PCI 总线上有 ${count} 块`,
    unknown: "未知",
    provider: "CUDA 执行提供程序",
    beside: "已在 ONNX Runtime 旁",
    absent: "未安装",
    states: { found: "已找到", elsewhere: "不在加载器的路径上", missing: "缺少" },
    looked: (folders: string) => `查找过：${folders}`,
    notNeeded: (found: number, all: number) =>
      `仅在有 NVIDIA 显卡时需要。已找到 ${found}/${all}，详见 --json。`,
    fits: "可用",
    unfit: "无法使用",
    join: (...parts: string[]) => parts.join("，"),
    about: (what: string, more: string) => `${what}：${more}`,
    uses: (provider: string) => `device "auto" 使用 ${provider}。`,
    providers: { cpu: "CPU", cuda: "CUDA", webgpu: "WebGPU" },
    whyNot: "没有使用 CUDA 的原因：",
    layouts: {
      toolkit: "工具箱的布局",
      diffusers: "Hugging Face 流水线文件夹",
      comfyui: "ComfyUI 单文件",
    },
    demo: "演示模型",
    slots: "正式模型的位置：",
    empty: "空",
    parameters: "M 参数",
    published: {
      transformer: "NewBie-image-Exp0.1 的 Transformer",
      textEncoder: "Gemma 3 4B",
      clipModel: "Jina CLIP v2",
      vae: "FLUX VAE 或 TAEF1",
    },
    estimates: (size: number) => `${size} × ${size}`,
    needs: "一张图所需内存：",
    on: { cpu: "CPU", cuda: "CUDA", webgpu: "WebGPU" },
    fitsNames: { used: "此模型", demo: "演示模型", published: "正式模型" },
    all: (bytes: string) => `全部常驻 ${bytes}`,
    one: (bytes: string, mode: string) => `offload: ${mode} 时 ${bytes}`,
    formula: "计算方法：进入设备的权重（CPU 上每个值 4 字节，CUDA 上 2 字节，不含嵌入表）" +
      "＋每个已加载部件的工作区＋运行时。",
  },
});

/** Writes the report, line by line. */
export function report(
  facts: Facts,
  diagnosis: Diagnosis,
  options: { readonly color: boolean },
): readonly string[] {
  return new Report(options.color).write(facts, diagnosis);
}

class Report {
  readonly #lines: string[] = [];
  readonly #color: boolean;

  constructor(color: boolean) {
    this.#color = color;
  }

  write(facts: Facts, diagnosis: Diagnosis): readonly string[] {
    const of = (area: Area) => diagnosis.findings.filter((finding) => finding.area === area);
    this.#section(text.sections.system);
    this.#rows(systemRows(facts));
    this.#findings(of("system"));
    this.#section(text.sections.gpu);
    this.#rows(gpuRows(facts));
    this.#findings(of("gpu"));
    this.#section(text.sections.libraries);
    this.#libraries(facts, diagnosis);
    this.#section(text.sections.provider);
    const uses = text.uses(text.providers[diagnosis.provider]);
    this.#lines.push(`${this.#mark("ok")} ${uses}`);
    if (diagnosis.reasons.length > 0) this.#line(text.whyNot, GAP);
    this.#findings(of("provider"));
    this.#section(text.sections.models);
    this.#model(facts.model);
    this.#needs(diagnosis);
    this.#findings(of("models"));
    return this.#lines;
  }

  #section(title: string): void {
    if (this.#lines.length > 0) this.#lines.push("");
    this.#lines.push(this.#paint(title, BOLD));
  }

  /** Label and value in two columns; a long value goes on below itself. */
  #rows(rows: readonly (readonly [label: string, value: string])[]): void {
    const width = Math.max(...rows.map(([label]) => columnsOf(label)));
    for (const [label, value] of rows) {
      const room = WIDTH - 2 * GAP.length - width;
      for (const [index, line] of wrapColumns(visible(value), room).entries()) {
        this.#lines.push(GAP + padColumns(index === 0 ? label : "", width) + GAP + line);
      }
    }
  }

  #findings(findings: readonly Finding[]): void {
    for (const { severity, message, fix } of findings) {
      const [first = "", ...rest] = visibleLines(message).flatMap((line) =>
        wrapColumns(line, WIDTH - GAP.length)
      );
      this.#lines.push(`${this.#mark(severity)} ${first}`, ...rest.map((line) => GAP + line));
      if (fix !== undefined) this.#command(fix);
    }
  }

  /** Broken at spaces, each line ended so that a shell goes on reading. */
  #command(command: string): void {
    const room = WIDTH - 2 * GAP.length - " \\".length;
    const lines = wrapColumns(visible(command), room, "keep");
    for (const [index, line] of lines.entries()) {
      const start = index === 0 ? "$ " : "  ";
      const end = index === lines.length - 1 ? "" : " \\";
      this.#lines.push(GAP + this.#paint(start + line + end, BOLD));
    }
  }

  #line(line: string, indent = ""): void {
    for (const part of wrapColumns(visible(line), WIDTH - indent.length)) {
      this.#lines.push(indent + part);
    }
  }

  #libraries({ binding: { folder, cuda } }: Facts, { reasons }: Diagnosis): void {
    const { found, loaderFolders, otherFolders } = cuda.libraries;
    if (reasons.some(({ code }) => code === "no-gpu" || code === "platform")) {
      const present = found.filter(({ state }) => state === "found").length +
        Number(cuda.provider);
      this.#line(text.notNeeded(present, found.length + 1), GAP);
      return;
    }
    const rows: [Severity, string, string][] = [
      [
        cuda.provider ? "ok" : "error",
        text.provider,
        cuda.provider ? text.beside : text.about(text.absent, shorten(folder)),
      ],
      ...found.map(({ name, state, path }): [Severity, string, string] => [
        LIBRARY_MARKS[state],
        name,
        state === "missing"
          ? text.states[state]
          : state === "found"
          ? path!
          : text.about(text.states[state], path!),
      ]),
    ];
    const width = Math.max(...rows.map(([, label]) => columnsOf(label)));
    for (const [severity, label, value] of rows) {
      const [first = "", ...rest] = wrapColumns(visible(value), WIDTH - 2 * GAP.length - width);
      this.#lines.push(`${this.#mark(severity)} ${padColumns(label, width)}${GAP}${first}`);
      this.#lines.push(...rest.map((line) => GAP + padColumns("", width) + GAP + line));
    }
    if (found.every(({ state }) => state === "found")) return;
    const folders = [...loaderFolders, ...otherFolders].join(", ");
    for (const line of wrapColumns(visible(text.looked(folders)), WIDTH - GAP.length)) {
      this.#lines.push(GAP + this.#paint(line, DIM));
    }
  }

  #model(model: ModelFacts): void {
    const { layout, isDemo, folder, parts } = model;
    const rows: [string, string][] = [];
    if (layout !== undefined) {
      const kind = isDemo ? text.demo : text.layouts[layout];
      rows.push([text.rows.layout, text.join(kind, isDemo ? dirname(parts[0]!.path) : folder)]);
    }
    for (const part of parts) {
      if (!isSound(part)) {
        rows.push([words[part.name], part.path]);
        continue;
      }
      const size = `${(part.parameters / 1e6).toFixed(1)} ${text.parameters}`;
      const files = part.files.length === 1 ? "" : ` × ${part.files.length}`;
      const facts = text.join(formatBytes(part.bytes) + files, part.dtypes.join("+"), size);
      rows.push([words[part.name], `${shorten(part.path)}  ${facts}`]);
    }
    for (const [index, adapter] of (model.adapters ?? []).entries()) {
      const { path, bytes, format, problem } = adapter;
      const state = problem === undefined ? text.fits : text.unfit;
      const facts = [formatBytes(bytes), ...(format === undefined ? [] : [format]), state];
      const name = index === 0 ? text.rows.adapters : "";
      rows.push([name, `${shorten(visible(path))}  ${text.join(...facts)}`]);
    }
    if (rows.length > 0) this.#rows(rows);
    if (!isDemo) return;
    this.#line(text.slots, GAP);
    this.#rows(NEWBIE.published.parts.map(({ name, bytes }) => [
      `${GAP}${SLOTS.find((slot) => slot.name === name)!.path}`,
      text.about(text.empty, text.join(text.published[name], formatBytes(bytes))),
    ]));
  }

  #needs({ fits }: Diagnosis): void {
    if (fits.length === 0) return;
    this.#line(text.needs, GAP);
    this.#rows(fits.map(({ model, estimate: { device, pictureSize, peak } }) => [
      GAP + text.join(text.fitsNames[model], text.on[device], text.estimates(pictureSize)),
      text.join(
        text.all(formatBytes(peak.none)),
        text.one(formatBytes(peak.model), "model"),
        text.one(formatBytes(peak.sequential), "sequential"),
      ),
    ]));
    for (const line of wrapColumns(text.formula, WIDTH - 2 * GAP.length)) {
      this.#lines.push(GAP + GAP + this.#paint(line, DIM));
    }
  }

  #mark(severity: Severity): string {
    return this.#paint(MARKS[severity], COLORS[severity]);
  }

  #paint(line: string, code: number): string {
    return this.#color ? `\x1b[${code}m${line}\x1b[0m` : line;
  }
}

/** An error's message has lines of its own, in which nothing is invisible. */
function visibleLines(message: string): string[] {
  return message.split("\n").map(visible);
}

function systemRows({ machine, binding, disks }: Facts): [string, string][] {
  const { rows } = text;
  const limit = machine.memoryLimit === undefined
    ? ""
    : text.limit(formatBytes(machine.memoryLimit));
  const disk = disks.map(({ folder, free }) =>
    `${folder} ${free === undefined ? text.unknown : formatBytes(free)}`
  );
  return [
    [
      rows.system,
      text.join(machine.name, `${capitalize(machine.os)} ${machine.kernel} (${machine.arch})`),
    ],
    ...(machine.container === undefined && !machine.wsl ? [] : [
      [
        rows.container,
        machine.container === undefined ? "WSL" : text.containers[machine.container],
      ] as [string, string],
    ]),
    [rows.cpu, text.join(machine.cpu, text.cores(machine.usableCores, machine.cores))],
    [
      rows.memory,
      text.memory(formatBytes(machine.memoryTotal), formatBytes(machine.memoryAvailable)) + limit,
    ],
    [rows.disk, text.join(...disk)],
    [rows.deno, machine.deno],
    [rows.runtime, binding.version ?? text.absent],
    ...(machine.glibc === undefined ? [] : [[rows.glibc, machine.glibc] as [string, string]]),
  ];
}

function gpuRows({ gpu }: Facts): [string, string][] {
  const rows = gpu.gpus.map((card) => {
    const { index, name, memoryTotal, memoryFree, computeCapability } = card;
    const deviceId = gpu.visible.indexOf(card);
    const facts = [
      name,
      ...(gpu.gpus.length === 1 ? [] : [deviceId < 0 ? text.hidden : `cuda:${deviceId}`]),
      ...(memoryTotal === undefined ? [] : [
        text.memory(
          formatBytes(memoryTotal),
          memoryFree === undefined ? text.unknown : formatBytes(memoryFree),
        ),
      ]),
      ...(computeCapability === undefined
        ? []
        : [`${text.capability} ${computeCapability.toFixed(1)}`]),
    ];
    return [`GPU ${index}`, text.join(...facts)] as [string, string];
  });
  if (rows.length === 0) {
    rows.push(["NVIDIA", gpu.pciDevices > 0 ? text.pci(gpu.pciDevices) : text.noGpu]);
  }
  if (gpu.driver !== undefined) {
    const cuda = gpu.cuda === undefined ? [] : [text.cuda(gpu.cuda)];
    rows.push([text.rows.driver, text.join(gpu.driver, ...cuda)]);
  }
  return rows;
}

function capitalize(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

/** Relative to where the task runs, where it lies below. */
function shorten(path: string): string {
  const here = `${Deno.cwd()}/`;
  return path.startsWith(here) ? path.slice(here.length) : path;
}
