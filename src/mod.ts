/**
 * NewBie-image without Python: XML prompt in, picture out.
 *
 * @module
 */
export { ConfigError, NewBieError, RequestError } from "./errors.ts";
export type { Message, NewBieErrorOptions } from "./errors.ts";
export type { Language, Texts } from "./language.ts";
export { type Tensor, tensor } from "./tensor.ts";
export {
  type DecodedImage,
  type DecodedPicture,
  decodePicture,
  decodePng,
  encodePictureAs,
  encodePng,
  type EncodePngOptions,
  imageFromTensor,
  type PictureFormat,
  psnr,
  type RgbImage,
  tensorFromImage,
} from "./image/mod.ts";
export { NewBieImagePipeline } from "./pipeline/pipeline.ts";
export type * from "./pipeline/types.ts";
export type { AdapterWeight, LoadedAdapter, LoadLoraOptions } from "./pipeline/adapters/types.ts";
export {
  CHECKPOINT_LAYOUTS,
  type CheckpointFiles,
  type CheckpointLayout,
  type PartFiles,
  type TokenizerPlace,
} from "./pipeline/checkpoint/types.ts";
export { type PartName, PARTS } from "./families/mod.ts";
export {
  AdapterError,
  type AdapterFormat,
  type AdapterProblem,
  type AdapterProblemKind,
} from "./adapters/mod.ts";
export type { OffloadMode } from "./pipeline/checkpoint/memory.ts";
export { CheckpointNotFoundError } from "./pipeline/checkpoint/checkpoint_not_found_error.ts";
export { type Arithmetic, DeviceError, type DeviceName, type GpuCount } from "./machine/mod.ts";
export { DeviceMemoryError } from "./pipeline/device_memory_error.ts";
export {
  InsufficientMemoryError,
  type MemoryShortage,
} from "./pipeline/insufficient_memory_error.ts";
export { NonFiniteError } from "./pipeline/parts/non_finite_error.ts";
export {
  CheckpointError,
  type Device,
  DEVICES,
  type Dtype,
  DTYPES,
  type WeightProblem,
} from "./onnx/mod.ts";
export { type ChangedFile, ChangedWeightsError } from "./integrity/mod.ts";
export { SessionError } from "./runtime/session.ts";
export { GgufError } from "./gguf/mod.ts";
export { WeightsError, type WeightsErrorPlace } from "./weights_error.ts";
export { type OpaqueEntry, SafetensorsError, type StoredTensor } from "./safetensors/mod.ts";
export { TokenizerError } from "./tokenizer/mod.ts";
export {
  canonicalPrompt,
  type CheckedPrompt,
  checkPrompt,
  type CheckPromptOptions,
  parsePrompt,
  parseXmlPrompt,
  type Prompt,
  type PromptDiagnostic,
  type PromptEdit,
  type PromptEncoder,
  type PromptKind,
  type PromptNode,
  type PromptPosition,
  type PromptTokens,
  renderDiagnostics,
  type RenderDiagnosticsOptions,
  XmlPromptError,
  type XmlPromptObject,
  type XmlPromptValue,
} from "./prompt/mod.ts";
export {
  createGenerator,
  type Generator,
  GENERATOR_DEVICES,
  type GeneratorDevice,
  type GeneratorOptions,
} from "./random/mod.ts";
export {
  createScheduler,
  type MayReplace,
  SCHEDULE_NAMES,
  type ScheduleName,
  type Scheduler,
  SCHEDULER_NAMES,
  type SchedulerName,
  type SchedulerOptions,
  type SchedulerStep,
  type Velocity,
} from "./schedulers/mod.ts";
export {
  type AskedSettings,
  type RecipeSettings,
  SETTINGS,
  type Settings,
} from "./settings/mod.ts";
export type * from "./settings/types.ts";
export * from "./recipe/mod.ts";
