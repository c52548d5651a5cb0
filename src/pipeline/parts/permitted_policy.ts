import type { DtypePolicy } from "../../onnx/mod.ts";

/**
 * A policy without our own operators where the program may not call all native code: `--allow-ffi`
 * without a list, for Deno shows memory and calls pointers for no less.
 */
export async function permittedPolicy(policy: DtypePolicy): Promise<DtypePolicy> {
  if (!policy.ownOperators) return policy;
  const { state } = await Deno.permissions.query({ name: "ffi" });
  return state === "granted" ? policy : { ...policy, ownOperators: false };
}
