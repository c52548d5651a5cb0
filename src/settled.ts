/**
 * Waits until all of several promises have settled: when one fails, nothing of the others is still under
 * way.
 *
 * @returns Their values, in their order.
 * @throws What the first of them in that order failed with.
 */
export async function settled<T extends readonly unknown[]>(
  promises: { readonly [K in keyof T]: T[K] | Promise<T[K]> },
): Promise<T> {
  await Promise.allSettled(promises);
  const values: unknown[] = [];
  for (const promise of promises) values.push(await promise);
  return values as readonly unknown[] as T;
}
