/** What things are called on the image's way. */
import { fileURLToPath } from "node:url";
import { BASE } from "./_engine.ts";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
export const IMAGE = "newbie:cpu";
export const LATEST = "newbie:latest";
export const BUILD = ["build", "--variant", "cpu", "--base", BASE] as const;
