/**
 * Pictures in the terminal.
 *
 * @module
 */
export * from "./detect_graphics.ts";
export * from "./move_up.ts";
export * from "./render_picture.ts";
export * from "./terminal_answers.ts";
export type * from "./types.ts";
