/**
 * NewBie-image without Python: XML prompt in, picture out.
 *
 * @module
 */
export { ConfigError, NewBieError, RequestError } from "./errors.ts";
export { type Tensor, tensor } from "./tensor.ts";
export {
  type DecodedPicture,
  decodePicture,
  decodePng,
  encodePictureAs,
  encodePng,
  imageFromTensor,
  type PictureFormat,
  psnr,
  type RgbImage,
} from "./image/mod.ts";
export { NewBieImagePipeline } from "./pipeline/pipeline.ts";
export type * from "./pipeline/types.ts";
export { CheckpointNotFoundError } from "./pipeline/checkpoint/checkpoint_not_found_error.ts";
export { DeviceError } from "./machine/mod.ts";
export { DeviceMemoryError } from "./pipeline/device_memory_error.ts";
export { InsufficientMemoryError } from "./pipeline/insufficient_memory_error.ts";
export { NonFiniteError } from "./pipeline/parts/non_finite_error.ts";
export { CheckpointError, type Device, type Dtype, type WeightProblem } from "./onnx/mod.ts";
export { ChangedWeightsError } from "./integrity/mod.ts";
export { SessionError } from "./runtime/session.ts";
export { SafetensorsError } from "./safetensors/mod.ts";
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
  type PromptEncoder,
  type PromptNode,
  renderDiagnostics,
  XmlPromptError,
  type XmlPromptObject,
} from "./prompt/mod.ts";
export { createGenerator, type Generator, type GeneratorOptions } from "./random/mod.ts";
export { createScheduler, type Scheduler, type SchedulerName } from "./schedulers/mod.ts";
