import { RequestError } from "../errors.ts";

/** Refuses a number of values that no call can draw. */
export function checkCount(count: number, most: number): void {
  if (Number.isSafeInteger(count) && count >= 0 && count <= most) return;
  throw new RequestError(
    `${count} values cannot be drawn in one call; expected an integer from 0 to ${most}.`,
    { zh: `一次调用不能取 ${count} 个值；应为 0 到 ${most} 的整数。` },
  );
}

/** A new array of so many values, filled. */
export function newValues(
  count: number,
  most: number,
  fill: (out: Float32Array) => void,
): Float32Array {
  checkCount(count, most);
  const out = new Float32Array(count);
  fill(out);
  return out;
}
