import { RequestError } from "../../errors.ts";

/** @throws {RequestError} When no tile has such a side, in pixels. */
export function expectTileSize(tileSize: number): void {
  if (tileSize >= 1) return;
  throw new RequestError(`tileSize must be 1 or more, but is ${tileSize}.`, {
    zh: `tileSize 不能小于 1，但是 ${tileSize}。`,
  });
}
