/** What a model is loaded with: whether it makes sense, and what follows from it. */
import { RequestError } from "../errors.ts";
import type { Arithmetic, DeviceChoice } from "../machine/mod.ts";
import { type Dtype, type DtypePolicy, dtypePolicy } from "../onnx/mod.ts";
import { permittedPolicy } from "./parts/permitted_policy.ts";

/** In which types a model computes, and whose kernels do it on a GPU. */
export interface ChosenPolicy {
  readonly policy: DtypePolicy;
  readonly kernels: NonNullable<Arithmetic["kernels"]>;
}

/**
 * The types of arithmetic for what was asked for, on a device.
 *
 * @throws {RequestError} When the device does not have it, or this program may not use it.
 */
export async function choosePolicy(
  dtype: Dtype | "auto",
  place: DeviceChoice,
): Promise<ChosenPolicy> {
  const wanted = dtypePolicy(place.device, dtype, place.adapter);
  if (wanted === undefined) throw dtypeError(dtype, place);
  const policy = await permittedPolicy(wanted);
  const { ownOperators, compute, products } = policy;
  if (products !== undefined && !ownOperators) throw missingOperators();
  return {
    policy,
    kernels: ownOperators && compute !== "float32" ? "toolkit" : "onnxruntime",
  };
}

/** @throws {RequestError} When an option is none of its choices. */
export function expectChoice(name: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  throw new RequestError(`${name} is "${value}"; expected one of ${choices.join(", ")}.`, {
    zh: `${name} 是 "${value}"；应为 ${choices.join("、")} 之一。`,
  });
}

/** The most threads; no machine has more cores. */
const MOST_THREADS = 1024;

/** @throws {RequestError} When it is no number of threads. */
export function expectThreads(threads: number): void {
  if (Number.isSafeInteger(threads) && threads >= 1 && threads <= MOST_THREADS) return;
  throw new RequestError(
    `threads is ${threads}; expected a whole number from 1 to ${MOST_THREADS}.`,
    { zh: `threads 是 ${threads}；应为 1 到 ${MOST_THREADS} 的整数。` },
  );
}

/** For products in 8 bits where the program may not call native code. */
function missingOperators(): RequestError {
  return new RequestError(
    'dtype is "int8", whose products are those of the toolkit\'s own kernels, and they need ' +
      "--allow-ffi without a list, which `deno task create:fast` has.",
    {
      zh: 'dtype 是 "int8"，其矩阵乘法由本工具箱自带的内核计算，需要不带列表的 --allow-ffi；' +
        "`deno task create:fast` 具有该权限。",
    },
  );
}

/** For a type of arithmetic that the device does not have. */
function dtypeError(dtype: string, { device, gpu, adapter }: DeviceChoice): RequestError {
  const types = adapter?.hasFloat16 ? "float32, float16" : "float32";
  const [en, zh] = device === "cpu" ? ["the CPU", "CPU"] : [`WebGPU (${gpu})`, `WebGPU（${gpu}）`];
  return new RequestError(
    `dtype is "${dtype}", but ${en} computes in ${types}${adapter?.hasFloat16 ? "" : " alone"}.`,
    { zh: `dtype 是 "${dtype}"，但 ${zh} 只用 ${types} 计算。` },
  );
}
