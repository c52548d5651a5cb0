/**
 * `ORT_LOGGING_LEVEL_FATAL`. What ONNX Runtime calls an error is also what its functions fail with, and
 * is told to people from there, in their language; its own log, with colours in any pipe, says it
 * again. Less than errors are notes for ONNX Runtime's developers.
 */
export const ORT_LOG_LEVEL = 4;
/** The same in the words of the JavaScript binding. */
export const ORT_LOG_LEVEL_NAME = "fatal";
