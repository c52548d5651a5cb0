const FOLDER = new URL("../fixtures/random/", import.meta.url);

/** A seed and a run of calls on one generator, as tests/reference/random_cases.py records them. */
export interface Case {
  readonly seed: string;
  readonly calls: readonly Call[];
}

export interface Call {
  readonly shape: readonly number[];
  /** Of all bytes of the result. */
  readonly sha256: string;
  /** The bytes of the first and of the last 64 values, in hexadecimal. */
  readonly first: string;
  readonly last?: string;
}

export interface Recording {
  readonly origin: Readonly<Record<string, string | number>>;
  readonly cases: readonly Case[];
}

export async function readFixture<T>(name: string): Promise<T> {
  return JSON.parse(await Deno.readTextFile(new URL(name, FOLDER))) as T;
}

export async function sha256(values: Float32Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", values)).toHex();
}

export function hex(values: Float32Array): string {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength).toHex();
}
