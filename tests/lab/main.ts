/**
 * What `deploy/` offers, with the real programs: the daemons of Slurm on this machine alone.
 *
 *     deno run -A tests/lab/main.ts
 *
 * Where they cannot run it says why, and ends well. Kubernetes' schemas are tried beside it, compose,
 * Podman and Charliecloud with the image, in `tests/container/journey`.
 */
import { Skipped } from "../container/journey/_engine.ts";
import { say, step } from "../container/journey/_say.ts";
import { startSlurm } from "./_slurm.ts";
import { claims, killedAndRequeued } from "./_slurm_batches.ts";

try {
  await using slurm = await startSlurm();
  await step(
    "an array of 24 prompts, a task killed, another requeued",
    () => killedAndRequeued(slurm),
  );
  await step("tasks that claim what they draw, one killed", () => claims(slurm));
  say("done");
} catch (error) {
  if (!(error instanceof Skipped)) throw error;
  console.log(`SKIPPED: Slurm's daemons, because ${error.message}`);
}
