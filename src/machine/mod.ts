/**
 * What the machine is that all runs on: processor, memory, GPUs, libraries, and what they allow.
 *
 * @module
 */
export { type BindingFacts, readBinding } from "./binding.ts";
export { chooseDevice, type ChosenGpu, type DeviceChoice } from "./device.ts";
export { type DeviceName, expectDevice, type GpuCount } from "./device_name.ts";
export { DeviceError } from "./device_error.ts";
export { type GpuFacts, readGpus } from "./gpus.ts";
export { type Host, localHost } from "./host.ts";
export { type Machine, readMachine } from "./machine.ts";
export { type MachineMemory, readMemory } from "./memory.ts";
export { obstacleTexts } from "./obstacle_texts.ts";
export { compareVersions } from "./required_versions.ts";
export {
  BFLOAT16_CAPABILITY,
  chooseProvider,
  CUDA_13_DRIVER,
  NOTHING_TO_MEND,
  type Obstacle,
} from "./provider.ts";
export { startCuda } from "./start_cuda.ts";
export { usableThreads } from "./threads.ts";
export { type Arithmetic, KERNELS, sameArithmetic } from "./arithmetic.ts";
export { type AdapterFacts, hasDisplayCard } from "./webgpu_adapter.ts";
export { cpuArithmetic } from "./cpu_arithmetic.ts";
