/**
 * One prompt, many pictures: templates with choices, wildcards and variables.
 *
 * @module
 */
export * from "./expand_template.ts";
export { isTemplate } from "./is_template.ts";
export { loadWildcards } from "./load_wildcards.ts";
export { parseTemplate, type TemplateSource } from "./parse_template.ts";
export { TemplateError } from "./template_error.ts";
export type * from "./types.ts";
