/**
 * Danbooru's tags: from a flat list to the elements of a prompt.
 *
 * @module
 */
export { tagsToXml, type TagsToXmlOptions } from "./tags_to_xml.ts";
export type * from "./types.ts";
