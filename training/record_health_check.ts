/**
 * Records what the health check compares with: models/demo/health_check.png and health_check.json.
 * Run it after the demo model's weights have changed, and look at the picture:
 *
 *     deno run --allow-read --allow-write --allow-ffi training/record_health_check.ts
 */
import { writeFileAtomically } from "../src/files.ts";
import { encodePng } from "../src/mod.ts";
import { DEMO_MODEL, runHealthCheck } from "../src/studio/health_check.ts";

const { image, statistics } = await runHealthCheck();
const json = JSON.stringify({ latents: statistics }, null, 2) + "\n";
await writeFileAtomically(`${DEMO_MODEL}/health_check.png`, encodePng(image));
await writeFileAtomically(`${DEMO_MODEL}/health_check.json`, new TextEncoder().encode(json));
