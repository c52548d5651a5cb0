/**
 * Danbooru's tags: lists of them to complete from, and from a flat prompt to the elements of XML.
 *
 * @module
 */
export { type KnownTag, loadTagList, type TagCompletion, TagList } from "./load_tag_list.ts";
export { pictureElement } from "./picture_element.ts";
export { type TagHint, tagHints } from "./tag_hints.ts";
export { tagsToXml, type TagsToXmlOptions } from "./tags_to_xml.ts";
export type * from "./types.ts";
