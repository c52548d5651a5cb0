/**
 * `ORT_LOGGING_LEVEL_FATAL`. Only fatal errors are logged. ONNX Runtime's other errors also make
 * its functions fail, and are reported to people from there in their language; its log would repeat
 * them, in colours even through a pipe. Warnings are for ONNX Runtime's developers.
 */
export const ORT_LOG_LEVEL = 4;
/** The same in the words of the JavaScript binding. */
export const ORT_LOG_LEVEL_NAME = "fatal";
