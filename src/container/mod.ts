/**
 * The container: built, run and carried through the Docker Engine API.
 *
 * @module
 */
export { Engine } from "./engine.ts";
export { addressText, engineAddress } from "./engine_address.ts";
export { BuildError, EngineError, type EngineErrorCode } from "./engine_error.ts";
export type * from "./types.ts";
