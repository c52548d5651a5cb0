/**
 * To be imported before ONNX Runtime, whose native library otherwise keeps a store of usage events and
 * may upload it: Deno's permissions do not reach into native code.
 */
try {
  Deno.env.set("ORT_DISABLE_TELEMETRY", "1");
} catch {
  // Where the program may not set the variable, it stays as the person who started the program set
  // it.
}
