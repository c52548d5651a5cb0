/**
 * ONNX Runtime: sessions that run compiled graphs, alone or in a row.
 *
 * @module
 */
export {
  type Feed,
  type Feeds,
  integers,
  type IntegerTensor,
  OutOfMemoryError,
  type RunningGraph,
  Session,
  SessionError,
  sessionError,
  type SessionHost,
} from "./session.ts";
export { SessionChain, type SessionChainOptions } from "./session_chain.ts";
export { SessionThread } from "./session_thread.ts";
export { withThreads } from "./with_threads.ts";
