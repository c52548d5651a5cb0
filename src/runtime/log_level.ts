/** `ORT_LOGGING_LEVEL_ERROR`: warnings about node placement are for developers. */
export const ORT_LOG_ERRORS = 3;
