/**
 * Prompts: XML or plain text in, a tree and the encoders' text out.
 *
 * @module
 */
export { near as isNearName } from "./_known_elements.ts";
export * from "./canonical_prompt.ts";
export * from "./check_prompt.ts";
export * from "./complete_element.ts";
export * from "./elements.ts";
export { listItems } from "./_list.ts";
export * from "./parse_prompt.ts";
export * from "./parse_xml_prompt.ts";
export * from "./prompt_kind.ts";
export * from "./render_diagnostics.ts";
export * from "./split_system_prompt.ts";
export * from "./types.ts";
export * from "./unwrap_prompt.ts";
export * from "./with_system_prompt.ts";
export * from "./without_braces.ts";
export * from "./xml_prompt_error.ts";
export { type LoraTag, type LoraTags, readLoraTags, readWeightedName } from "./read_lora_tags.ts";
