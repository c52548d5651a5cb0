/** Facts about machines that are not here. */
import type { Facts } from "../../src/doctor/gather_facts.ts";
import { NEWBIE } from "../../src/families/mod.ts";
import type { ModelFacts } from "../../src/doctor/models.ts";
import { readBinding } from "../../src/machine/binding.ts";
import { readGpus } from "../../src/machine/gpus.ts";
import { readMachine } from "../../src/machine/machine.ts";
import { hasDisplayCard } from "../../src/machine/webgpu_adapter.ts";
import { fakeHost, type FakeMachine } from "../machine/_fake_host.ts";

const works = () => Promise.resolve();

/** The CUDA provider beside the binding. */
export async function providerFiles(): Promise<Record<string, string>> {
  const { folder } = await readBinding(fakeHost(), works);
  return {
    [`${folder}/libonnxruntime_providers_cuda.so`]: "",
    [`${folder}/libonnxruntime_providers_shared.so`]: "",
    [`${folder}/../../../../package.json`]: "",
  };
}

/** The model that comes with the toolkit; numbers of its header, rounded. */
export const DEMO: ModelFacts = {
  folder: ".",
  layout: "toolkit",
  isDemo: true,
  pictureSize: 256,
  missing: [],
  parts: [{
    name: "transformer",
    path: "models/demo/next-dit",
    files: ["models/demo/next-dit/model.safetensors"],
    bytes: 29.5e6,
    dtypes: ["BF16"],
    parameters: 14.8e6,
    deviceParameters: 14.8e6,
    sequence: { tokens: 512, width: 320, heads: 10 },
  }],
};

/** The published model, complete. */
export const PUBLISHED: ModelFacts = {
  folder: ".",
  layout: "toolkit",
  isDemo: false,
  pictureSize: 1024,
  missing: [],
  parts: NEWBIE.published.parts.map((part) => ({
    ...part,
    path: `models/${part.name}`,
    files: [`models/${part.name}/model.safetensors`],
    dtypes: ["BF16"] as const,
  })),
};

export interface Circumstances extends FakeMachine {
  readonly model?: ModelFacts;
  readonly demo?: ModelFacts;
  readonly failure?: string;
  /** Whether this user may not write pictures. */
  readonly isReadOnly?: boolean;
  /** Whether something else stands in the place of the folder of pictures. */
  readonly isNoFolder?: boolean;
}

/** What would be gathered on such a machine. */
export async function factsOf(circumstances: Circumstances): Promise<Facts> {
  const { model = DEMO, demo, failure, freeDisk = 100e9 } = circumstances;
  const host = fakeHost(circumstances);
  const probe = failure === undefined ? works : () => Promise.reject(new Error(failure));
  const binding = await readBinding(host, probe);
  return {
    machine: await readMachine(host),
    gpu: await readGpus(host),
    binding: { version: "1.29.0", ...binding },
    ...(circumstances.adapter === undefined ? {} : { adapter: circumstances.adapter }),
    hasCard: await hasDisplayCard(host),
    disks: [
      { folder: "models/", free: freeDisk },
      {
        folder: "outputs/",
        free: freeDisk,
        isReadOnly: circumstances.isReadOnly ?? false,
        isNoFolder: circumstances.isNoFolder ?? false,
      },
    ],
    model,
    ...(demo === undefined ? {} : { demo }),
  };
}
