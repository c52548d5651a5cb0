/** What runs on a thread that has operators of our own beside ONNX Runtime's. */
export const KERNEL_THREAD = new URL("./_session_worker.ts", import.meta.url);
