import type { DtypePolicy } from "../../onnx/mod.ts";

/**
 * Our own operators need `--allow-ffi` without a list of files: only then does Deno let a program
 * read native memory and call function pointers. Where the program has less, they are left out of
 * the policy.
 */
export async function permittedPolicy(policy: DtypePolicy): Promise<DtypePolicy> {
  if (!policy.ownOperators) return policy;
  const { state } = await Deno.permissions.query({ name: "ffi" });
  return state === "granted" ? policy : { ...policy, ownOperators: false };
}
