import { add, conv2d, type DtypePolicy, type Parameters, relu, type Value } from "../onnx/mod.ts";
import { activate, type ActivationName } from "./_activation.ts";

/** How far a block of three convolutions sees. */
export const CONVOLUTIONS_IN_BLOCK = 3;

/**
 * A tile of this size takes less than a gigabyte, and is large enough that the halo (152 pixels for
 * TAESD) is a small share of the work.
 */
export const TINY_TILE_SIZE = 768;

/** `AutoencoderTinyBlock`: three convolutions beside a shortcut, and always a ReLU at the end. */
export function tinyBlock(
  x: Value,
  width: number,
  activation: ActivationName,
  parameters: Parameters,
  type: DtypePolicy["convolution"],
): Value {
  const convolution = (x: Value, name: string) =>
    conv2d(
      x,
      parameters.get(`conv.${name}.weight`, [width, width, 3, 3], type),
      parameters.get(`conv.${name}.bias`, [width], type),
      3,
    );
  let y = activate(convolution(x, "0"), activation);
  y = activate(convolution(y, "2"), activation);
  return relu(add(convolution(y, "4"), x));
}
