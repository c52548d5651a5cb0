/** A stream that may be a terminal. */
interface Stream {
  isTerminal(): boolean;
}

/**
 * Whether escape sequences may be written to a stream: it is a terminal, and `TERM` does not say that
 * it is a dumb one, which shows them as they are. Editors' and build tools' consoles are such.
 */
export function understandsEscapes(stream: Stream): boolean {
  return stream.isTerminal() && termOf() !== "dumb";
}

function termOf(): string | undefined {
  try {
    return Deno.env.get("TERM");
  } catch (error) {
    // Where the variable may not be read, nobody can tell.
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
