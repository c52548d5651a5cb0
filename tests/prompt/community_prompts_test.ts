/**
 * Prompts in the forms in which the community of this model writes them. The forms are those of upstream's
 * README and data loader, ComfyUI-Newbie-Nodes' builders, ComfyUI's template, converters and language
 * models that write for it, and of chats, web pages and input methods that prompts are copied out of; the
 * words are ours. What a prompt means was written down by hand.
 */
import assert from "node:assert/strict";
import { canonicalPrompt, checkPrompt, promptKind } from "../../src/prompt/mod.ts";
import { isTemplate } from "../../src/templates/mod.ts";

const SYSTEM =
  "You are an assistant designed to generate high-quality anime images with the highest " +
  "degree of image-text alignment based on xml format textual prompts. <Prompt Start>";
const CHARACTER = "<character_1>\n<n>$character_1$</n>\n<gender>1girl</gender>\n" +
  "<appearance>green_hair, red_eyes</appearance>\n</character_1>";
const GENERAL = "<general_tags>\n<count>1girl</count>\n<style>anime_style</style>\n</general_tags>";
const XML = `${CHARACTER}\n\n${GENERAL}`;
const CAPTION = "<caption>A girl on a pier.</caption>";
const withOther = (text: string) =>
  XML.replace("</general_tags>", `<other>${text}</other>\n</general_tags>`);
const json = (value: unknown) => JSON.stringify(value, null, 1);
/** As ComfyUI's template writes it: texts are put between quotation marks as they are. */
const template = (tags: string, caption: string) =>
  `{\n"character_1": {\n"bbox": [\n0,\n0,\n1000,\n1000\n],\n"name": "$character_1$"\n},\n` +
  `"image": {\n"tags": "${tags}",\n"caption": "${caption}"\n}\n}`;

interface Form {
  readonly prompt: string;
  /** What the encoders read; the same as of {@linkcode XML} where absent. */
  readonly means?: string;
  readonly warnings?: readonly string[];
  readonly systemPrompt?: string;
}

const FORMS: Readonly<Record<string, Form>> = {
  "as upstream's README, indented": { prompt: `  ${XML.replaceAll("\n", "\n  ")}\n` },
  "in one line": { prompt: XML.replaceAll("\n", "") },
  "with Windows' line ends": { prompt: XML.replaceAll("\n", "\r\n") },
  "with a byte order mark": { prompt: `\ufeff${XML}`, warnings: ["invisible-character"] },
  "with tabs": { prompt: XML.replaceAll("\n", "\n\t") },

  // Names with a space, as people and language models write them.
  "<general tags>": { prompt: XML.replaceAll("general_tags>", "general tags>") },
  "<general tags>, closed with the underscore": {
    prompt: XML.replace("<general_tags>", "<general tags>"),
  },
  "<general_tags>, closed with a space": {
    prompt: XML.replace("</general_tags>", "</general tags>"),
  },
  "<General Tags>": { prompt: XML.replaceAll("general_tags>", "General Tags>") },
  "<general tags> with a no-break space": {
    prompt: XML.replaceAll("general_tags>", "general\u00a0tags>"),
    warnings: ["invisible-character", "invisible-character"],
  },
  "<character 1>": { prompt: XML.replaceAll("character_1>", "character 1>") },
  "spaces beside names": {
    prompt: XML.replaceAll("<general_tags>", "< general_tags >").replace("</style>", "</ style>"),
  },
  "<body type> and <extra tags>": {
    prompt:
      "<general_tags><body type>petite</body type><extra tags>sky</extra tags></general_tags>",
    means:
      "<general_tags>\n<body_type>petite</body_type>\n<extra_tags>sky</extra_tags>\n</general_tags>",
  },
  "<general-tags>": {
    prompt: XML.replaceAll("general_tags>", "general-tags>"),
    means: XML.replaceAll("general_tags>", "general-tags>"),
    warnings: ["unknown-tag"],
  },
  "<general-tags>, closed with the underscore": {
    prompt: XML.replace("<general_tags>", "<general-tags>"),
    means: XML.replaceAll("general_tags>", "general-tags>"),
    warnings: ["unknown-tag"],
  },
  "names in capitals": {
    prompt: "<CHARACTER_1><N>rin</N></CHARACTER_1>",
    means: "<CHARACTER_1>\n<N>rin</N>\n</CHARACTER_1>",
    warnings: ["unknown-tag", "unknown-tag"],
  },
  "names in capitals, closed in small letters": {
    prompt: "<character_1><N>rin</n></Character_1>",
    means: "<character_1>\n<N>rin</N>\n</character_1>",
    warnings: ["unknown-tag"],
  },
  "a misspelt closing tag": {
    prompt: XML.replace("</appearance>", "</apperance>"),
    warnings: ["misspelt-closing-tag"],
  },

  // Upstream's builders.
  "upstream's assembler": {
    prompt: '<?xml version="1.0" ?>\n<document>\n  <character_1>\n    <name>rin</name>\n' +
      "    <gender>1girl</gender>\n    <clothing/>\n  </character_1>\n  <general_tags>\n" +
      "    <environment>pier</environment>\n  </general_tags>\n</document>\n",
    means: "<document>\n<character_1>\n<name>rin</name>\n<gender>1girl</gender>\n" +
      "<clothing></clothing>\n</character_1>\n<general_tags>\n<environment>pier</environment>\n" +
      "</general_tags>\n</document>",
    warnings: ["unknown-tag", "empty-element"],
  },
  "upstream's builder with a style in front": {
    prompt: `<style>style of nobody</style>\n\n<image>\n  ${CAPTION}\n  ${GENERAL}\n</image>`,
    means: `<style>style of nobody</style>\n\n<image>\n${CAPTION}\n${GENERAL}\n</image>`,
  },
  "all elements of upstream's builders": {
    prompt: "<character_1><n>rin</n><body_type>tall</body_type><interaction>waving</interaction>" +
      "</character_1><general_tags><count>1girl</count><body_type>tall</body_type>" +
      "<artists>nobody</artists><artist>no_one</artist><environment>pier</environment>" +
      "<perspective>from_below</perspective><lighting>dusk</lighting>" +
      "<resolution>max_high_resolution</resolution><extra_tags>wind</extra_tags>" +
      "<interaction>waving</interaction></general_tags>",
    means: "<character_1>\n<n>rin</n>\n<body_type>tall</body_type>\n" +
      "<interaction>waving</interaction>\n</character_1>\n\n<general_tags>\n<count>1girl</count>\n" +
      "<body_type>tall</body_type>\n<artists>nobody</artists>\n<artist>no_one</artist>\n" +
      "<environment>pier</environment>\n<perspective>from_below</perspective>\n" +
      "<lighting>dusk</lighting>\n<resolution>max_high_resolution</resolution>\n" +
      "<extra_tags>wind</extra_tags>\n<interaction>waving</interaction>\n</general_tags>",
  },
  "a caption beside the characters": {
    prompt: `<img>\n${XML}\n${CAPTION}\n</img>`,
    means: `<img>\n${CHARACTER}\n${GENERAL}\n${CAPTION}\n</img>`,
  },
  "a caption as half JSON, from a language model": {
    prompt: `<img>\n${GENERAL}\n"caption":Two boats, one pier.\n</img>`,
    means: `<img>\n${GENERAL}\n"caption":Two boats, one pier.\n</img>`,
    warnings: ["loose-text"],
  },
  "the usual negative prompt in elements": {
    prompt: "<e621_tags>furry</e621_tags> <danbooru_tags>lowres, text (medium)</danbooru_tags> " +
      "<resolution>low_resolution</resolution>",
    means:
      "<e621_tags>furry</e621_tags>\n\n<danbooru_tags>lowres, text (medium)</danbooru_tags>\n\n" +
      "<resolution>low_resolution</resolution>",
  },
  "braces around the elements, more behind them": {
    prompt: `{ ${CHARACTER} <general_tags> <count>1girl</count> <style>anime_style</style> ` +
      "</general_tags>} <quality>no_text</quality>",
    means: `${XML}\n\n<quality>no_text</quality>`,
  },
  "braces around the elements, in a fence": { prompt: "```xml\n{\n" + XML + "\n}\n```" },

  // System prompts.
  "the system prompt, and a new line": { prompt: `${SYSTEM}\n${XML}`, systemPrompt: `${SYSTEM} ` },
  "the system prompt, and a comma": { prompt: `${SYSTEM}, ${XML}`, systemPrompt: `${SYSTEM} ` },
  "the system prompt, and braces": { prompt: `${SYSTEM}{${XML}}`, systemPrompt: `${SYSTEM} ` },
  "the trainer's system prompt directly before tags": {
    prompt: `${SYSTEM}1girl, pier`,
    means: "1girl, pier",
    systemPrompt: `${SYSTEM} `,
  },
  "a system prompt that praises the painter": {
    prompt:
      `You are the best painter of all. Draw from what follows.${SYSTEM}\n<img>${GENERAL}</img>`,
    means: `<img>\n${GENERAL}\n</img>`,
    systemPrompt: `You are the best painter of all. Draw from what follows.${SYSTEM} `,
  },
  "a system prompt in another language": {
    prompt: "你是一位动漫画家。<Prompt Start> 1girl",
    means: "1girl",
    systemPrompt: "你是一位动漫画家。<Prompt Start> ",
  },
  "the negative prompt that is a system prompt": {
    prompt:
      "You are the worst painter of all. <Prompt Start> <danbooru_tags>lowres</danbooru_tags>",
    means: "<danbooru_tags>lowres</danbooru_tags>",
    systemPrompt: "You are the worst painter of all. <Prompt Start> ",
  },
  "a system prompt in bold": { prompt: `**${SYSTEM}**\n${XML}`, systemPrompt: `${SYSTEM} ` },
  "a system prompt in quotation marks": {
    prompt: `“${SYSTEM}” ${XML}`,
    systemPrompt: `${SYSTEM} `,
  },
  "a system prompt that a web page escaped": {
    prompt: `${SYSTEM.replace("<", "&lt;").replace(">", "&gt;")}\n${XML}`,
    systemPrompt: `${SYSTEM} `,
  },
  "a system prompt with an underscore in its mark": {
    prompt: `${SYSTEM.replace("<Prompt Start>", "<prompt_start>")} ${XML}`,
    systemPrompt: `${SYSTEM} `,
  },
  "the mark alone": {
    prompt: "<Prompt Start> 1girl",
    means: "1girl",
    systemPrompt: "<Prompt Start> ",
  },
  "a system prompt inside of <img>": {
    prompt: `<img>\n${SYSTEM}\n${GENERAL}\n</img>`,
    means: `<img>\n${SYSTEM}\n${GENERAL}\n</img>`,
    warnings: ["loose-text"],
  },

  // JSON.
  "ComfyUI's template": {
    prompt: `${SYSTEM}\n${template(XML, "A girl on a pier.")}`,
    means: `${XML}\n\n${CAPTION}`,
    warnings: ["unused-json"],
    systemPrompt: `${SYSTEM} `,
  },
  "ComfyUI's template, and quotation marks in it": {
    prompt: template(XML, 'She says "**hello**, you" [cite: 3, 4].'),
    means: `${XML}\n\n<caption>She says "**hello**, you" [cite: 3, 4].</caption>`,
    warnings: ["unused-json"],
  },
  "JSON, and text behind it": {
    prompt: `${json({ image: { tags: XML } })}\n\nbest quality, newest`,
    means: withOther("best quality, newest"),
    warnings: ["stray-text"],
  },
  "JSON that is not whole, and text behind it": {
    prompt: `${template("1girl", 'A "girl".')} best quality`,
    means: '1girl\nA "girl".\nbest quality',
    warnings: ["unused-json"],
  },
  "JSON behind a word": {
    prompt: `Prompt:\n${json({ image: { tags: "1girl", caption: "A girl." } })}`,
    means: "Prompt:\n1girl\nA girl.",
  },
  "JSON in a chat's fence": {
    prompt: "Here it is:\n```json\n" + json({ image: { tags: XML } }) + "\n```\nEnjoy!",
    means: withOther("Here it is:, Enjoy!"),
    warnings: ["stray-text", "stray-text"],
  },
  "JSON in a fence behind the system prompt": {
    prompt: `${SYSTEM}\n` + "```json\n" + json({ image: { tags: XML } }) + "\n```",
    systemPrompt: `${SYSTEM} `,
  },
  "a list around the JSON": { prompt: json([{ image: { tags: XML } }]) },
  "a list of two": {
    prompt: json([{ image: { tags: "1girl" } }, { image: { tags: "2boys" } }]),
    means: "1girl",
    warnings: ["unused-json"],
  },
  "JSON with capitals": { prompt: json({ Image: { Tags: XML } }) },
  "a line of the trainer's data": {
    prompt: JSON.stringify({ image_path: "a.png", super_high_quality_caption: XML }),
    warnings: ["unused-json"],
  },
  "a line of the trainer's data, plain": {
    prompt: JSON.stringify({ path: "a.png", prompt: "1girl, pier" }),
    means: "1girl, pier",
    warnings: ["unused-json"],
  },
  "the elements as JSON": {
    prompt: json({
      character_1: { n: "$character_1$", gender: "1girl", appearance: ["green_hair", "red_eyes"] },
      general_tags: { count: "1girl", style: "anime_style" },
    }),
  },
  "XML as a JSON string": { prompt: JSON.stringify(XML) },
  "XML as a program's source has it": { prompt: XML.replaceAll("\n", "\\n") },
  "XML as a web page shows it": {
    prompt: XML.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
  },

  // Chats.
  "a fence, and a sentence in front": {
    prompt: "Prompt for you:\n\n```xml\n" + XML + "\n```",
    means: withOther("Prompt for you:"),
    warnings: ["stray-text"],
  },
  "bold tags": { prompt: `**\n${XML}\n**` },
  "quotation marks around it": { prompt: `"${XML}"` },
  "lines of dashes": { prompt: `---\n${XML}\n---` },
  "a language model's end": {
    prompt: `${XML}<eos>`,
    means: withOther("<eos>"),
    warnings: ["unpaired-tag"],
  },
  "<|endoftext|>": { prompt: "1girl, pier<|endoftext|>", means: "1girl, pier<|endoftext|>" },
  "a comment": { prompt: `<!-- mine -- all mine -->\n${XML}` },
  "CDATA": {
    prompt: "<caption><![CDATA[a < b & c]]></caption>",
    means: "<caption>a < b & c</caption>",
  },

  // What is only written loosely.
  "brackets of an input method": {
    prompt: "＜character_1＞＜n＞rin＜／n＞＜／character_1＞",
    means: "<character_1>\n<n>rin</n>\n</character_1>",
    warnings: Array(4).fill("full-width-tag"),
  },
  "commas of an input method": {
    prompt: "<appearance>green_hair，red_eyes、ahoge</appearance>",
    means: "<appearance>green_hair, red_eyes, ahoge</appearance>",
    warnings: ["outside-character"],
  },
  "attributes": {
    prompt: "<character_1 id='a' w=“2” main><n id=1 id=2>rin</n></character_1>",
    means: '<character_1 id="a" w="2" main="">\n<n id="1">rin</n>\n</character_1>',
    warnings: ["attribute-quotes", "attribute-value", "attribute-quotes", "duplicate-attribute"],
  },
  "a word in angle brackets": {
    prompt: "<caption>a <very> small hat</caption>",
    means: "<caption>a <very> small hat</caption>",
    warnings: ["unpaired-tag"],
  },
  "HTML's line break": {
    prompt: "<character_1><n>rin</n><br><gender>1girl</gender></character_1>",
    means: "<character_1>\n<n>rin</n>\n<br>\n<gender>1girl</gender>\n</character_1>",
    warnings: ["loose-text", "unpaired-tag"],
  },
  "what goes where": {
    prompt: "<1girl>, <series>, <special tags>, <general tags>, pier",
    means: "<1girl>, <series>, <special tags>, <general tags>, pier",
    warnings: ["tags-in-text"],
  },
  "a phrase in angle brackets": {
    prompt: "<girl with a hat>, <masterpiece>, pier",
    means: "<girl with a hat>, <masterpiece>, pier",
  },
  "entities and faces": {
    prompt: "<caption>love &amp; peace &lt;3 &nbsp; >_< &#39;x&#39; R&D</caption>",
    means: "<caption>love & peace <3 &nbsp; >_< 'x' R&D</caption>",
    warnings: ["literal-entity"],
  },
  "smart and nested quotation marks": {
    prompt: "<caption>“She” says 'he said \"no\"'</caption>",
    means: "<caption>“She” says 'he said \"no\"'</caption>",
  },
  "emoji": {
    prompt: "<n>🐱\u200d👤 rin 💙</n>",
    means: "<n>🐱\u200d👤 rin 💙</n>",
    warnings: ["outside-character"],
  },
  "escaped brackets": {
    prompt: "<character_1><n>rin_\\(series\\)</n></character_1>",
    means: "<character_1>\n<n>rin_\\(series\\)</n>\n</character_1>",
    warnings: ["escaped-parenthesis"],
  },
  "other programs' notations": {
    prompt: "(((pier, sea))), BREAK, [cat|dog], <lora:x:0.8>, (nobody:1.2)",
    means: "(((pier, sea))), BREAK, [cat|dog], <lora:x:0.8>, (nobody:1.2)",
    warnings: ["weighted-tag", "break-word", "alternation", "lora-tag", "weighted-tag"],
  },
  "Markdown in tags": { prompt: "**1girl**, *pier*, `sea`", means: "**1girl**, *pier*, `sea`" },
};

for (const [name, { prompt, means = XML, warnings = [], systemPrompt }] of Object.entries(FORMS)) {
  Deno.test(`a prompt of the community is read: ${name}`, () => {
    const checked = checkPrompt(prompt);
    assert.deepEqual(
      checked.diagnostics.map(({ code, severity }) => `${severity} ${code}`),
      warnings.map((code) => `warning ${code}`),
    );
    assert.equal(checked.canonical, means);
    assert.equal(checked.systemPrompt, systemPrompt);
    assert.equal(checked.prompt.kind, promptKind(prompt));
    if (checked.prompt.kind === "xml") assert.equal(canonicalPrompt(means), means);
    assert(!isTemplate(prompt), "it is taken for a template");
  });
}

Deno.test("what only looks like such a form stays what it was", () => {
  const texts = [
    "1girl, 5 < n > 3",
    "a {b} c",
    '1girl, {"a": 1}',
    '{"a": "b"}',
    "1girl, &lt;/n> tie",
    '"1girl, pier"',
    "<a ><b>x",
  ];
  for (const text of texts) assert.equal(canonicalPrompt(text), text);
});

Deno.test("between <character_1> and its end, faults of structure stay errors", () => {
  const faults = {
    "<character_1><n>rin</character_1>": "unclosed-inside",
    "<character_1><n>rin</n>": "unclosed-tag",
    "<character_1><n>rin</character_1></n>": "crossed-tags",
    "<character_1><n>rin</m></character_1>": "misnamed-tag",
    "<!DOCTYPE a><n>rin</n>": "entity-bound",
  };
  for (const [prompt, code] of Object.entries(faults)) {
    const errors = checkPrompt(prompt).diagnostics.filter(({ severity }) => severity === "error");
    assert.deepEqual(errors.map((error) => error.code), [code], prompt);
  }
});
