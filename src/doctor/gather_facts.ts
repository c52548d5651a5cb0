import { join } from "node:path";
import type { Language } from "../language.ts";
import {
  type AdapterFacts,
  type BindingFacts,
  type GpuFacts,
  hasDisplayCard,
  type Host,
  localHost,
  type Machine,
  readBinding,
  readGpus,
  readMachine,
} from "../machine/mod.ts";
import { type ModelFacts, readModel } from "./models.ts";

/** Everything that a diagnosis rests on. */
export interface Facts {
  readonly machine: Machine;
  readonly gpu: GpuFacts;
  readonly binding: BindingFacts;
  /** What WebGPU would compute on; absent where there is nothing. */
  readonly adapter?: AdapterFacts;
  /** Whether there may be a display card. */
  readonly hasCard: boolean;
  readonly disks: readonly Disk[];
  /** What a program would load. */
  readonly model: ModelFacts;
  /** The model that comes with the toolkit, where the other is not it; absent when it is not there. */
  readonly demo?: ModelFacts;
}

/** A folder's disk. */
export interface Disk {
  readonly folder: string;
  /** Bytes that may still be written; absent when unknown. */
  readonly free?: number;
  /** Whether this user may not write there; only looked at where that is needed. */
  readonly isReadOnly?: boolean;
  /** Whether something else stands in its place. */
  readonly isNoFolder?: boolean;
}

/** Where to look. */
export interface GatherOptions {
  /**
   * The folder of the model.
   *
   * @default {"."}
   */
  readonly model?: string | undefined;
  readonly host?: Host;
  /**
   * In which the model's problems are told.
   *
   * @default {"en"}
   */
  readonly language?: Language;
}

const DEMO_MODEL = join("models", "demo");

/**
 * Looks at this machine, or at the one that `host` stands for, from the toolkit's own folder;
 * changes nothing.
 */
export async function gatherFacts(options: GatherOptions = {}): Promise<Facts> {
  const { host = localHost(), model: folder = ".", language = "en" } = options;
  const [machine, gpu, binding, hasCard, model, models, outputs] = await Promise.all([
    readMachine(host),
    readGpus(host),
    readBinding(host),
    hasDisplayCard(host),
    readModel(folder, language),
    diskOf(host, "models/"),
    diskOf(host, "outputs/"),
  ]);
  const isNoFolder = await host.isNoFolder("outputs");
  const isReadOnly = !isNoFolder && !await host.mayWrite("outputs/");
  const adapter = hasCard ? await host.adapter() : undefined;
  const demo = model.isDemo ? undefined : await readModel(DEMO_MODEL, language);
  return {
    machine,
    gpu,
    binding,
    ...(adapter === undefined ? {} : { adapter }),
    hasCard,
    disks: [models, { ...outputs, isReadOnly, isNoFolder }],
    model,
    ...(demo?.layout === undefined ? {} : { demo }),
  };
}

async function diskOf(host: Host, folder: string): Promise<Disk> {
  const free = await host.freeDisk(folder);
  return { folder, ...(free === undefined ? {} : { free }) };
}
