import { RequestError } from "../errors.ts";

/** Refuses a number of values that no call can draw. */
export function checkCount(count: number, most: number): void {
  if (Number.isSafeInteger(count) && count >= 0 && count <= most) return;
  throw new RequestError(
    `${count} values cannot be drawn in one call; expected an integer from 0 to ${most}.`,
    { zh: `一次调用不能取 ${count} 个值；应为 0 到 ${most} 的整数。` },
  );
}
