import { formatBytes } from "../format_bytes.ts";
import { dirname } from "node:path";
import type { Language } from "../language.ts";
import type { Device } from "../onnx/mod.ts";
import {
  BFLOAT16_CAPABILITY,
  chooseProvider,
  compareVersions,
  NOTHING_TO_MEND,
  type Obstacle,
  obstacleTexts,
} from "../machine/mod.ts";
import {
  copyPart,
  extendLibraryPath,
  installDriver,
  installLibraries,
  installProvider,
  installVulkan,
  linkPart,
  makeSlots,
  mendBinding,
  moreMemory,
  moveAway,
  passGpu,
  showBusiest,
  showLargest,
  startElsewhere,
} from "./_commands.ts";
import { TEXTS } from "./_texts.ts";
import type { Facts } from "./gather_facts.ts";
import { estimateMemory, offloadThatFits } from "../pipeline/checkpoint/memory.ts";
import { NEWBIE } from "../families/mod.ts";
import { isSound, type ModelFacts, SLOTS } from "./models.ts";
import type { Area, Diagnosis, Finding, FindingCode, Fit, Severity } from "./types.ts";

/** The C library that ONNX Runtime's binding was linked against (its version needs). */
const MINIMUM_GLIBC = "2.28";
/** A few hundred pictures. */
const LITTLE_DISK_BYTES = 2 ** 30;
/** What a driver keeps of a card that nobody uses: 480 MiB of an H100. */
const GPU_RESERVE_BYTES = 480 * 2 ** 20;
/** The demo model's pictures, where its own size is unknown. */
const DEMO_PICTURE_SIZE = 256;

/**
 * Says what the facts about a machine mean: which execution provider is used and why not the better
 * one, which models fit, and for each problem the one command that fixes it. Pure: the same facts
 * give the same diagnosis.
 *
 * @param language In which findings speak.
 */
export function diagnose(facts: Facts, language: Language = "en"): Diagnosis {
  const { machine, gpu, binding, adapter } = facts;
  const choice = chooseProvider({ machine, gpu, cuda: binding.cuda, adapter });
  const fits = fitsOf(facts);
  const findings = [
    ...systemFindings(facts, language),
    ...choice.reasons.map((obstacle) => obstacleFinding(obstacle, facts, language)),
    ...kernelFindings(choice.provider, language),
    ...gpuFindings(facts, fits, choice.provider, language),
    ...adapterFindings(facts, choice.provider, language),
    ...modelFindings(facts, fits, language),
  ];
  const model = usableModel(facts, fits);
  return {
    canMakePictures: binding.failure === undefined && model !== undefined,
    ...(model === undefined ? {} : { model }),
    ...choice,
    fits,
    findings,
  };
}

/** A model that is whole, and for which the machine has the memory, be it busy now. */
function usableModel({ machine, model }: Facts, fits: readonly Fit[]): Diagnosis["model"] {
  const total = totalMemory(machine);
  const usable = fits.filter(({ estimate: { device, peak } }) =>
    device === "cpu" && peak.sequential <= total
  ).map((fit) => fit.model);
  if (usable.includes("used") && model.missing.length === 0) return "used";
  return usable.includes("demo") ? "demo" : undefined;
}

/** All that a process can have, if nothing else runs. */
function totalMemory({ memoryLimit, memoryTotal, swapFree }: Facts["machine"]): number {
  return (memoryLimit ?? memoryTotal) + swapFree;
}

function finding(
  area: Area,
  code: FindingCode,
  severity: Severity,
  message: string,
  fix?: string,
): Finding {
  return { area, code, severity, message, ...(fix === undefined ? {} : { fix }) };
}

function systemFindings({ machine, binding, disks, model }: Facts, language: Language): Finding[] {
  const text = TEXTS[language];
  const findings: Finding[] = [];
  const { failure, version } = binding;
  if (failure === undefined) {
    findings.push(finding("system", "binding-works", "ok", text.bindingWorks));
  } else if (version === undefined) {
    const fix = "deno install --frozen";
    findings.push(finding("system", "binding-missing", "error", text.bindingMissing, fix));
  } else if (machine.glibc !== undefined && compareVersions(machine.glibc, MINIMUM_GLIBC) < 0) {
    const message = text.glibcOld(machine.glibc, MINIMUM_GLIBC);
    const fix = `docker run --rm -it -v "$PWD:/app" -w /app denoland/deno:debian-${machine.deno} ` +
      "task doctor";
    findings.push(finding("system", "glibc-old", "error", message, fix));
  } else {
    const fix = mendBinding(machine, failure);
    findings.push(finding("system", "binding-broken", "error", text.bindingBroken(failure), fix));
  }
  for (const { folder, free, isReadOnly, isNoFolder } of disks) {
    if (isNoFolder) {
      const fix = moveAway(machine, folder);
      findings.push(finding("system", "outputs-no-folder", "error", text.noFolder(folder), fix));
    }
    if (isReadOnly) {
      const fix = startElsewhere(machine);
      findings.push(
        finding("system", "outputs-read-only", "warning", text.readOnly(folder), fix),
      );
    }
    if (free === undefined) continue;
    if (folder === "outputs/" && free < LITTLE_DISK_BYTES) {
      const message = text.diskFull(folder, formatBytes(free));
      const fix = showLargest(machine);
      findings.push(finding("system", "disk-full", "warning", message, fix));
    }
    const needed = publishedBytes();
    if (folder === "models/" && model.isDemo && free < needed) {
      const [slot] = SLOTS;
      const message = text.diskSmall(folder, formatBytes(free), formatBytes(needed));
      const fix = linkPart(machine, slot!.path);
      findings.push(finding("system", "disk-small", "warning", message, fix));
    }
  }
  return findings;
}

function obstacleFinding(obstacle: Obstacle, facts: Facts, language: Language): Finding {
  const { wsl, container } = facts.machine;
  const clause = obstacleTexts(obstacle, { wsl, container: container !== undefined })[language];
  const message = language === "zh" ? `${clause}。` : `${capitalize(clause)}.`;
  const severity = NOTHING_TO_MEND.includes(obstacle.code) ? "note" : "warning";
  return finding("provider", obstacle.code, severity, message, commandFor(obstacle, facts));
}

function capitalize(clause: string): string {
  return clause.slice(0, 1).toUpperCase() + clause.slice(1);
}

function commandFor(obstacle: Obstacle, { machine }: Facts): string | undefined {
  switch (obstacle.code) {
    case "platform":
    case "no-gpu":
    case "gpu-old":
      return undefined;
    case "gpus-hidden":
      return "unset CUDA_VISIBLE_DEVICES";
    case "gpu-not-passed":
      return passGpu(machine.container);
    case "driver-missing":
    case "driver-old":
      return installDriver(machine);
    case "driver-broken":
      // After an update, the old kernel module stays until the machine is restarted.
      return /mismatch/i.test(obstacle.complaint) ? "sudo reboot" : "sudo modprobe nvidia";
    case "driver-silent":
      return "sudo reboot";
    case "provider-missing":
      return installProvider();
    case "libraries-missing":
      return installLibraries(machine, obstacle.names);
    case "libraries-elsewhere":
      return extendLibraryPath([...new Set(obstacle.paths.map((path) => dirname(path)))]);
  }
}

/** By whose kernels CUDA draws: which those are, the task decides by its permissions. */
function kernelFindings(provider: Device, language: Language): Finding[] {
  if (provider !== "cuda") return [];
  return [finding("provider", "own-kernels", "ok", TEXTS[language].ownKernels)];
}

function gpuFindings(
  { gpu }: Facts,
  fits: readonly Fit[],
  provider: Device,
  language: Language,
): Finding[] {
  const text = TEXTS[language];
  const findings: Finding[] = [];
  const [first] = gpu.visible;
  if (!first) return [];
  const usable = gpu.visible.flatMap((gpu, deviceId) =>
    (gpu?.computeCapability ?? Infinity) < BFLOAT16_CAPABILITY ? [] : [`cuda:${deviceId}`]
  );
  if (provider === "cuda" && usable.length > 1) {
    findings.push(finding("gpu", "several-gpus", "ok", text.severalGpus(usable)));
  }
  const larger = gpu.gpus.filter(({ memoryFree }) => (memoryFree ?? 0) > (first.memoryFree ?? 0))
    .toSorted((a, b) => b.memoryFree! - a.memoryFree!)[0];
  // A person who set the variable chose a GPU already and needs no advice.
  if (larger !== undefined && gpu.visibleDevices === undefined) {
    const message = text.largerGpuIdle(larger.index, formatBytes(larger.memoryFree!));
    const fix = `export CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES=${larger.index}`;
    findings.push(finding("gpu", "larger-gpu-idle", "warning", message, fix));
  }
  for (const fit of fits.filter(({ estimate }) => estimate.device === "cuda")) {
    if (fit.available === undefined) continue;
    const total = (first.memoryTotal ?? fit.available) - GPU_RESERVE_BYTES;
    findings.push(fitFinding(fit, Math.max(total, fit.available), language, {
      area: "gpu",
      codes: ["gpu-memory-fits", "gpu-memory-busy", "gpu-memory-small"],
      // The CPU draws then.
      small: "note",
      busyFix: "nvidia-smi --query-compute-apps=pid,name,used_memory --format=csv",
    }));
  }
  return findings;
}

/** Nothing where CUDA is used. */
function adapterFindings(
  { adapter, hasCard, machine }: Facts,
  provider: Device,
  language: Language,
): Finding[] {
  const text = TEXTS[language];
  if (provider === "cuda") return [];
  if (adapter === undefined) {
    return hasCard && machine.os === "linux"
      ? [finding("gpu", "webgpu-absent", "note", text.noAdapter, installVulkan(machine))]
      : [];
  }
  const { name, isSoftware, hasFloat16, maxBufferBytes } = adapter;
  return isSoftware ? [finding("gpu", "webgpu-software", "note", text.softwareAdapter(name))] : [
    finding(
      "gpu",
      "webgpu-adapter",
      "ok",
      text.adapter(name, hasFloat16, formatBytes(maxBufferBytes)),
    ),
  ];
}

function modelFindings(facts: Facts, fits: readonly Fit[], language: Language): Finding[] {
  const { machine, model } = facts;
  const text = TEXTS[language];
  const findings: Finding[] = [];
  for (const part of model.parts) {
    if (isSound(part)) continue;
    const message = text.partDamaged(part.name, part.problem);
    findings.push(
      finding("models", "part-damaged", "error", message, copyPart(machine, part.path)),
    );
  }
  for (const { name, path } of model.missing) {
    const message = text.partMissing(name, path);
    findings.push(finding("models", "part-missing", "error", message, copyPart(machine, path)));
  }
  if (model.layout === undefined && findings.length === 0) {
    const message = model.problem ?? "";
    const fix = model.folder === "." ? "git checkout -- models/demo" : "deno task doctor";
    findings.push(finding("models", "model-absent", "error", message, fix));
  }
  if (findings.length === 0) {
    findings.push(finding("models", "model-found", "ok", text.modelFound(model.isDemo)));
  }
  for (const { problem } of model.adapters ?? []) {
    if (problem === undefined) continue;
    findings.push(finding("models", "adapter-unfit", "note", problem.split("\n")[0]!));
  }
  if (model.isDemo) {
    const message = text.publishedAbsent(formatBytes(publishedBytes()));
    const fix = makeSlots(machine, SLOTS.map(({ path }) => path));
    findings.push(finding("models", "published-absent", "note", message, fix));
  }
  for (const fit of fits.filter(({ estimate }) => estimate.device === "cpu")) {
    findings.push(fitFinding(fit, totalMemory(machine), language, {
      area: "models",
      codes: ["memory-fits", "memory-busy", "memory-small"],
      small: fit.model === (model.isDemo ? "demo" : "used") ? "error" : "note",
      smallFix: moreMemory(machine, fit.estimate.peak.sequential),
      busyFix: showBusiest(machine),
    }));
  }
  return findings;
}

function fitFinding(
  { model, estimate, available = 0, offload }: Fit,
  total: number,
  language: Language,
  options: {
    readonly area: Area;
    readonly codes: readonly [fits: FindingCode, busy: FindingCode, small: FindingCode];
    readonly small: Severity;
    readonly smallFix?: string;
    readonly busyFix: string;
  },
): Finding {
  const { area, codes: [fitCode, busyCode, smallCode], small, smallFix, busyFix } = options;
  const text = TEXTS[language];
  const { device, peak } = estimate;
  const name = text.models[model];
  const have = formatBytes(available);
  if (offload) {
    const message = text.fits(device, name, formatBytes(peak[offload]), have, offload);
    return finding(area, fitCode, "ok", message);
  }
  const needed = formatBytes(peak.sequential);
  if (peak.sequential <= total) {
    const message = text.busy(device, name, needed, have, formatBytes(total));
    return finding(area, busyCode, "warning", message, busyFix);
  }
  const message = text.small(device, name, needed, formatBytes(total));
  return finding(area, smallCode, small, message, smallFix);
}

function fitsOf({ machine, gpu, model, demo }: Facts): Fit[] {
  const fits: Fit[] = [];
  const add = (name: Fit["model"], parts: Parameters<typeof estimateMemory>[0], size: number) => {
    const budgets: [Device, number | undefined][] = [["cpu", machine.memoryAvailable]];
    const [first] = gpu.visible;
    if (first !== undefined) budgets.push(["cuda", first?.memoryFree]);
    for (const [device, available] of budgets) {
      const estimate = estimateMemory(parts, device, size);
      const offload = available === undefined ? undefined : offloadThatFits(estimate, available);
      fits.push({
        model: name,
        estimate,
        ...(available === undefined ? {} : { available, offload: offload ?? null }),
      });
    }
  };
  const complete = (facts: ModelFacts) => facts.layout !== undefined && facts.parts.every(isSound);
  const addModel = (name: Fit["model"], facts: ModelFacts) => {
    if (!complete(facts)) return;
    const size = facts.pictureSize ||
      (facts.isDemo ? DEMO_PICTURE_SIZE : NEWBIE.published.pictureSize);
    add(name, facts.parts.filter(isSound), size);
  };
  if (model.isDemo) addModel("demo", model);
  else addModel("used", model);
  if (demo !== undefined) addModel("demo", demo);
  if (model.isDemo || !complete(model)) {
    add("published", NEWBIE.published.parts, NEWBIE.published.pictureSize);
  }
  return fits;
}

function publishedBytes(): number {
  return NEWBIE.published.parts.reduce((sum, { bytes }) => sum + bytes, 0);
}
