/** Steps, and how long they take. */
const start = performance.now();

export async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  try {
    const result = await work();
    say(`✓ ${name} (${((performance.now() - begun) / 1000).toFixed(0)} s)`);
    return result;
  } catch (error) {
    say(`✗ ${name}`);
    throw error;
  }
}

export function say(text: string): void {
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(`[${seconds} s] ${text}`);
}
