import { NewBieError } from "../../errors.ts";
import { type PartName, PARTS } from "../../families/mod.ts";
import type { Texts } from "../../language.ts";
import type { Tensor } from "../../tensor.ts";

/** What can overflow: a part of the model, or a network that enlarges pictures. */
const NAMES = {
  ...PARTS,
  upscaler: { en: "upscaler", zh: "放大器" },
} as const satisfies Readonly<Record<string, Texts<string>>>;

/** A network gave values that are no numbers; a picture made of them would be black. */
export class NonFiniteError extends NewBieError {
  override name = "NonFiniteError";
  readonly part: PartName | "upscaler";

  constructor(part: PartName | "upscaler") {
    const { en, zh } = NAMES[part];
    super(
      `The ${en} gave values that are not finite. Its arithmetic overflowed, or its weights are ` +
        "damaged. With --dtype float16, try bfloat16; otherwise check the weights: deno task verify",
      {
        zh: `${zh}给出了非有限数值：运算溢出，或权重已损坏。使用 --dtype float16 时请改用 ` +
          "bfloat16；否则请检查权重：deno task verify",
      },
    );
    this.part = part;
  }
}

/** Returns the tensor. @throws {NonFiniteError} When a value of it is infinite or no number. */
export function expectFinite(part: PartName, tensor: Tensor): Tensor {
  if (!isFiniteTensor(tensor)) throw new NonFiniteError(part);
  return tensor;
}

/** Whether every value is a finite number. */
export function isFiniteTensor({ data }: Tensor): boolean {
  // The sum of a million floats cannot overflow a double, and is finite when all of them are.
  let sum = 0;
  for (let index = 0; index < data.length; index++) sum += data[index]!;
  return Number.isFinite(sum);
}
