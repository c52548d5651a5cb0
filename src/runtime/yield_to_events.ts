/**
 * Lets the event loop turn. ONNX Runtime's answers come so fast one after the other that a signal,
 * such as Ctrl-C, would have to wait for several steps; a turn of `setImmediate` is too short for it
 * to arrive.
 */
export function otherEvents(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
