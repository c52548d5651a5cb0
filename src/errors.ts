/**
 * Errors meant to be read by a person. Each says what was wrong, where, what was expected and what
 * to do; positions and names are fields too, so that a program can use them.
 *
 * @module
 */

/** The request was carried out as asked and failed: a task that meets it exits with 1. */
export class NewBieError extends Error {
  override name = "NewBieError";
}

/** The request itself was wrong, so nothing was tried: a task that meets it exits with 2. */
export class RequestError extends NewBieError {
  override name = "RequestError";
}
