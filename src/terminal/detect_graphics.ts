import type { TerminalAnswers } from "./terminal_answers.ts";
import type { GraphicsProtocol, TerminalColors } from "./types.ts";

/** The variables that {@linkcode detectGraphics} and {@linkcode detectColors} look at. */
export const TERMINAL_VARIABLES = [
  "TERM",
  "TERM_PROGRAM",
  "LC_TERMINAL",
  "KITTY_WINDOW_ID",
  "TMUX",
  "STY",
  "COLORTERM",
  "NO_COLOR",
] as const;

/** Looks up a variable, such as `Deno.env.get`. */
export type Environment = (
  name: typeof TERMINAL_VARIABLES[number],
) => string | undefined;

/** By terminfo's name, which a terminal sets for itself and ssh hands on. */
const BY_TERM: readonly (readonly [RegExp, GraphicsProtocol])[] = [
  [/^dumb$/, "none"],
  // A multiplexer draws its own screen and lets none of the protocols through.
  [/^(screen|tmux)/, "blocks"],
  [/^xterm-(kitty|ghostty)/, "kitty"],
  [/^wezterm/, "iterm2"],
  [/^(foot|mlterm|contour|yaft)|sixel/, "sixel"],
];

/** By the name that terminals give themselves where their TERM is xterm's. */
const BY_PROGRAM: Readonly<Record<string, GraphicsProtocol>> = {
  "iTerm.app": "iterm2",
  WezTerm: "iterm2",
  mintty: "iterm2",
  ghostty: "kitty",
};

/**
 * How a terminal shows pictures, by the environment and by what it answered itself. The protocols of
 * kitty and iTerm2 are known by names alone; sixel is what the answer says, and by `TERM` only where
 * nobody could ask.
 *
 * - Inside tmux and screen: half-blocks.
 * - `TERM` knows kitty, Ghostty, WezTerm, foot, mlterm, Contour, yaft, and names with `sixel`.
 * - `TERM_PROGRAM` knows iTerm2, WezTerm, mintty and Ghostty. Any other one ends the search: what
 *   follows may be handed down from the terminal that it was started in. That goes for Visual
 *   Studio Code too, which shows pictures only where a setting says so.
 * - `LC_TERMINAL=iTerm2`, which ssh hands on; then `KITTY_WINDOW_ID`.
 * - Any other terminal: half-blocks.
 *
 * @param env Looks up a variable; it must be allowed to read {@linkcode TERMINAL_VARIABLES}.
 * @param isTerminal Whether the output is a terminal at all.
 * @param said What the terminal answered; absent where it was not asked or did not answer.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const kitty: Record<string, string> = { TERM: "xterm-kitty" };
 * assert.equal(detectGraphics((name) => kitty[name], true), "kitty");
 * assert.equal(detectGraphics((name) => kitty[name], false), "none");
 * ```
 */
export function detectGraphics(
  env: Environment,
  isTerminal: boolean,
  said?: Pick<TerminalAnswers, "sixel">,
): GraphicsProtocol {
  if (!isTerminal) return "none";
  const named = protocolByName(env);
  const isPlain = named === "sixel" || named === "blocks";
  if (said === undefined || !isPlain || isMultiplexer(env)) return named;
  return said.sixel ? "sixel" : "blocks";
}

/** Whether a terminal may be asked: a multiplexer answers for itself, a dumb one shows the question. */
export function canBeAsked(env: Environment): boolean {
  const term = env("TERM") ?? "";
  return term !== "" && term !== "dumb" && !isMultiplexer(env);
}

function isMultiplexer(env: Environment): boolean {
  return Boolean(env("TMUX") || env("STY")) || /^(screen|tmux)/.test(env("TERM") ?? "");
}

function protocolByName(env: Environment): GraphicsProtocol {
  if (env("TMUX") || env("STY")) return "blocks";
  const term = env("TERM") ?? "";
  const known = BY_TERM.find(([pattern]) => pattern.test(term))?.[1];
  if (known !== undefined) return known;
  const program = env("TERM_PROGRAM");
  if (program) return Object.hasOwn(BY_PROGRAM, program) ? BY_PROGRAM[program]! : "blocks";
  if (env("LC_TERMINAL") === "iTerm2") return "iterm2";
  return env("KITTY_WINDOW_ID") ? "kitty" : "blocks";
}

/**
 * Which colours a terminal shows: none where `NO_COLOR` forbids them (https://no-color.org), 24 bits
 * where `COLORTERM` or a `TERM` that ends in `-direct` promises them, else the 256 of xterm.
 */
export function detectColors(env: Environment): TerminalColors {
  if (env("NO_COLOR")) return "none";
  const promised = /^(truecolor|24bit)$/.test(env("COLORTERM") ?? "") ||
    /-direct$/.test(env("TERM") ?? "");
  return promised ? "truecolor" : "256";
}
