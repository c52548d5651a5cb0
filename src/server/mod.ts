/**
 * The studio over HTTP: the page, and the APIs that other programs speak. One queue for all.
 *
 * @module
 */
export { createApp } from "./create_app.ts";
export { machineReports } from "./machine_report.ts";
export { type Listening, serve, type ServeOptions } from "./serve.ts";
export {
  type Access,
  LIMITS,
  type Limits,
  type MachineReport,
  type ServerContext,
} from "./types.ts";
