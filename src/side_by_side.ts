/**
 * Does so many pieces of work, a few at a time, in their order. When one fails, those under way are
 * told to stop, and no other begins.
 *
 * @param most How many at a time.
 * @param work Gets the number of its piece, from 0, and what tells it to stop.
 * @throws What the first piece that failed threw, once none is under way any more.
 */
export async function sideBySide(
  count: number,
  most: number,
  work: (index: number, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  let next = 0;
  const worker = async () => {
    while (next < count && !stop.signal.aborted) {
      try {
        await work(next++, stop.signal);
      } catch (error) {
        // Of several errors only the first counts: the others may have come of it.
        stop.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, count) }, worker));
  stop.signal.throwIfAborted();
}
