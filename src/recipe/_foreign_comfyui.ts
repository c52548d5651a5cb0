/**
 * ComfyUI's graph: of the nodes that were run, those that decide what a picture shows.
 *
 * A picture's text `prompt` is the graph as it was run: by id, `{ class_type, inputs }`, in which an
 * input is a value or `[id, output]` of the node that it comes from. `workflow` is the same as the
 * editor has it, with values in the order of the node's fields; it is read where `prompt` is absent.
 *
 * Nodes are found by what they are connected to, not by their names alone: most of those in use come
 * from extensions. Each node is looked at once, so that graphs which run in circles end.
 *
 * @module
 */
import { type AskedSettings, fromJson, SETTINGS } from "../settings/mod.ts";
import { ForeignDraft, isObject, type JsonObject } from "./_foreign_draft.ts";
import type { ForeignRecipe } from "./foreign_recipe.ts";

interface GraphNode {
  readonly id: string;
  readonly type: string;
  readonly inputs: JsonObject;
}

/** How many nodes of a graph are looked at, and how many behind one value. */
const MOST_NODES = 10_000;
const MOST_BEHIND = 200;
const MOST_SAMPLERS = 50;
/** A prompt is no longer; texts that are put together again and again would be. */
const LONGEST_TEXT = 1 << 17;

/** Where a value comes from. */
type Link = readonly [id: string | number, output: number];

const isLink = (value: unknown): value is Link =>
  Array.isArray(value) && value.length === 2 && typeof value[1] === "number" &&
  (typeof value[0] === "string" || typeof value[0] === "number");

class Graph {
  readonly nodes: ReadonlyMap<string, GraphNode>;
  readonly #texts = new Map<string, string | undefined>();

  constructor(nodes: readonly GraphNode[]) {
    this.nodes = new Map(nodes.slice(0, MOST_NODES).map((node) => [node.id, node]));
  }

  /** The node at the other end of an input. */
  from(value: unknown): GraphNode | undefined {
    return isLink(value) ? this.nodes.get(String(value[0])) : undefined;
  }

  /** The nodes behind an input, nearest first; `passes` says through which inputs to go on. */
  *behind(value: unknown, passes: (input: string) => boolean): Generator<GraphNode> {
    const seen = new Set<string>();
    let next = [this.from(value)];
    while (next.length > 0) {
      const following: (GraphNode | undefined)[] = [];
      for (const node of next) {
        if (node === undefined || seen.has(node.id)) continue;
        seen.add(node.id);
        yield node;
        for (const [input, link] of Object.entries(node.inputs)) {
          if (passes(input)) following.push(this.from(link));
        }
      }
      next = following;
    }
  }

  /**
   * A number or a text, wherever it was typed: nodes that only hand it on are passed.
   *
   * @param name Of several numbers of a node the one of this name counts.
   */
  value(input: unknown, kind: "number" | "string", name = ""): unknown {
    if (!isLink(input)) return kindOf(input) === kind ? input : undefined;
    let count = 0;
    for (const node of this.behind(input, (name) => !NO_VALUE.has(name))) {
      if (++count > MOST_BEHIND) return undefined;
      if (kind === "string") {
        const text = this.#text(node, "positive");
        if (text !== undefined) return text;
        continue;
      }
      const numbers = Object.entries(node.inputs).filter(([other, value]) =>
        kindOf(value) === kind && other !== "batch_size"
      );
      const [found] = [...numbers.filter(([other]) => other === name), ...numbers];
      if (found !== undefined) return found[1];
    }
    return undefined;
  }

  /** The text that a node of texts gives to a side: typed there, or of several put together. */
  #text(node: GraphNode, side: Side, depth = 0): string | undefined {
    const key = `${side} ${node.id}`;
    if (this.#texts.has(key) || depth > MOST_JOINED) return this.#texts.get(key);
    // A node that is made of itself has no text.
    this.#texts.set(key, undefined);
    const textOf = (input: unknown) => {
      if (typeof input === "string") return input.trim() === "" ? undefined : input;
      const from = this.from(input);
      return from === undefined ? undefined : this.#text(from, side, depth + 1);
    };
    // A node that shows a text keeps what it showed before beside the one that it is given.
    const given = isLink(node.inputs["text"]) ? textOf(node.inputs["text"]) : undefined;
    const isShown = given !== undefined &&
      Object.keys(node.inputs).some((name) => SHOWN.test(name));
    const parts = isShown
      ? [given]
      : textInputs(node, side).map(textOf).filter((text) => text !== undefined);
    const delimiter = node.inputs["delimiter"];
    const between = typeof delimiter === "string" ? delimiter : ", ";
    // Encoders with two text models are mostly given the same text twice.
    const joined = [...new Set(parts)].join(between).slice(0, LONGEST_TEXT);
    // With its mark, a system prompt is told from the prompt behind it.
    const system = textOf(node.inputs["system_prompt"]);
    const isMarked = system !== undefined && SYSTEM_END.test(system);
    const text = isMarked ? `${system.trimEnd()} ${joined}` : parts.length > 0 ? joined : undefined;
    this.#texts.set(key, text);
    return text;
  }

  /** The texts that the conditioning of a side is made of. */
  prompt(conditioning: unknown, side: Side): string | undefined {
    if (typeof conditioning === "string") return conditioning;
    const texts: string[] = [];
    for (const node of this.behind(conditioning, (name) => CONDITIONING_INPUT.test(name))) {
      const text = this.#text(node, side);
      if (text !== undefined) texts.push(text);
    }
    const all = [...new Set(texts)].join("\n").slice(0, LONGEST_TEXT);
    return texts.length === 0 ? undefined : all;
  }
}

/** What a prompt is for. */
type Side = "positive" | "negative";

/** The values that a node's text for a side is put together from. */
function textInputs({ inputs }: GraphNode, side: Side): readonly unknown[] {
  const entries = Object.entries(inputs);
  // Loaders and styles have a text for each side.
  const sided = entries.flatMap(([name, value]) => {
    const [, own, other] = SIDED_INPUT.exec(name) ?? [];
    return own === undefined && other === undefined ? [] : [{ side: own ?? other, value }];
  });
  if (sided.length > 0) {
    return sided.filter((input) => input.side === side).map(({ value }) => value);
  }
  // What was drawn from a text with choices takes its place.
  const drawn = inputs["populated_text"];
  if (typeof drawn === "string" && drawn.trim() !== "") return [drawn];
  return entries.filter(([name]) => TEXT_INPUT.test(name)).map(([, value]) => value);
}

/** The mark at the end of a system prompt, by which it is known in front of a prompt. */
const SYSTEM_END = /<\s?Prompt[ _-]?Start\s?>\s*$/i;

/** How deep nodes that join texts are followed. */
const MOST_JOINED = 32;

/** Inputs whose text is part of a prompt; that of a reroute has no name. */
const TEXT_INPUT =
  /^(?:text(?:_?[a-z0-9]{1,10})?|prompt|user_prompt|string(?:_?[a-z0-9]{1,10})?|value|caption|wildcard_text|clip_l|t5xxl|xml(?:_prompt)?|any(?:_0?1)?|)$/i;
/** Where a node that shows a text keeps what it showed. */
const SHOWN = /^text_\d{1,2}$/;
/** Inputs whose text is part of the prompt of one side. */
const SIDED_INPUT =
  /^(?:(?:text_)?(positive|negative)(?:_?(?:prompt|text))?|prompt_(positive|negative))$/i;
/** Inputs through which a conditioning is handed on. */
const CONDITIONING_INPUT =
  /^(?:conditioning(?:_?[a-z0-9]{1,10})?|cond(?:_?\d{1,2})?|guider|any(?:_0?1)?|)$/i;
/** Inputs through which all that a sampler needs is handed on at once. */
const PIPE_INPUT = /^(?:basic_)?pipe$/;
/** Inputs that carry something other than values. */
const NO_VALUE: ReadonlySet<string> = new Set(["model", "clip", "vae", "image", "latent_image"]);

function kindOf(value: unknown): "number" | "string" | undefined {
  if (typeof value === "number" || typeof value === "bigint") return "number";
  return typeof value === "string" ? "string" : undefined;
}

/** Whether a node draws: it has a prompt, and steps or a picture to begin with. */
const isSampler = ({ type, inputs }: GraphNode): boolean =>
  !HANDS_ON.test(type) &&
    ["steps", "sigmas", "latent_image"].some((name) => name in inputs) &&
    ["positive", "guider", "conditioning"].some((name) => isLink(inputs[name])) ||
  /sampler/i.test(type) && Object.entries(inputs).some(isPipe);

/** Nodes that only gather what samplers need, such as rgthree's `Context`. */
const HANDS_ON = /^(?!.*sampl).*(?:context|pipe)/i;

const isPipe = ([name, input]: readonly [string, unknown]): boolean =>
  PIPE_INPUT.test(name) && isLink(input);

/** The graph that was run, or that the editor shows. */
export function fromComfyUi(prompt: unknown, workflow: unknown): ForeignRecipe {
  const nodes = nodesOfPrompt(prompt);
  const graph = new Graph(nodes.length > 0 ? nodes : nodesOfWorkflow(workflow));
  const draft = new ForeignDraft("ComfyUI");
  const samplers = [...graph.nodes.values()].filter(isSampler).slice(0, MOST_SAMPLERS);
  // The one that begins with noise; later ones draw its picture again, larger.
  const first =
    samplers.find((node) =>
      ![...graph.behind(node.inputs["latent_image"], passLatent)].some(isSampler)
    ) ?? samplers[0];
  if (first !== undefined) readSampler(graph, first, draft);
  const others = samplers.filter((sampler) => sampler !== first);
  const hires = others.length === 1 ? hiresOf(graph, first!, others[0]!) : undefined;
  if (hires !== undefined) draft.take({ hires });
  else for (const { type, id } of others) draft.leave("second sampler", `${type} ${id}`);
  for (const { type, inputs } of graph.nodes.values()) {
    for (const [input, value] of Object.entries(inputs)) {
      const isFile = FILES.test(input) && typeof value === "string" && value !== "None";
      if (isFile) draft.leave(type, value);
    }
    for (const [input, name] of Object.entries(inputs)) {
      const number = /^lora(?:_name)?(_?\d+)?$/.exec(input);
      if (number === null) continue;
      const [, place = ""] = number;
      const weightOf = (...names: readonly string[]) =>
        names.map((name) => graph.value(inputs[name + place], "number")).find((it) =>
          it !== undefined
        );
      // Stacks of third parties number theirs, and one of them has an object for each.
      const own = isObject(name) ? name : undefined;
      if (own !== undefined && own["on"] === false) continue;
      draft.lora(
        own?.["lora"] ?? name,
        own?.["strength"] ??
          weightOf(
            "strength_model",
            "lora_wt",
            "model_str",
            "strength",
            "lora_strength",
            "lora_model_strength",
          ) ?? 1,
        own?.["strengthTwo"] ?? weightOf("strength_clip", "clip_str", "lora_clip_strength"),
      );
    }
  }
  return draft.recipe();
}

const passLatent = (input: string) => /latent|samples|pixels|image|^$/.test(input);

/** Inputs that name a file of weights, or a picture. */
const FILES = /^(?:ckpt|unet|vae|lora|clip|control_net|diffusion|style_model|image)(?:_name)?\d?$/;

function readSampler(graph: Graph, { id, inputs }: GraphNode, draft: ForeignDraft): void {
  const all = allInputs(graph, inputs);
  const number = (...names: readonly string[]) =>
    names.map((name) => graph.value(all[name], "number", name)).find((value) =>
      value !== undefined
    );
  const text = (name: string) => graph.value(all[name], "string");

  const positive = all["positive"] ?? all["conditioning"];
  draft.prompt(promptBehind(graph, positive, "positive"));
  draft.negativePrompt(promptBehind(graph, all["negative"], "negative"));
  draft.seed("seed", number("seed", "noise_seed"));
  draft.steps("steps", number("steps"));
  draft.guidance("cfg", number("cfg", "guidance"));
  draft.sampler("sampler_name", text("sampler_name"));
  draft.schedule("scheduler", text("scheduler") ?? "");
  draft.strength("denoise", strengthOf(graph, all));
  let count = 0;
  const withPipe: GraphNode = { id, type: "", inputs: all };
  for (const node of [withPipe, ...graph.behind(all["latent_image"], passLatent)]) {
    if (++count > MOST_BEHIND) break;
    readMask(graph, node.inputs["mask"], draft);
    const size = sizeOf(graph, node);
    if (size === undefined) continue;
    draft.size("size", ...size);
    break;
  }
  const system = positive === undefined ? undefined : graph.from(positive)?.inputs["system_prompt"];
  readSystemPrompt(graph, system, draft);
  const isDifferential = [...graph.nodes.values()].some(({ type }) => DIFFERENTIAL.test(type));
  if (isDifferential) draft.take({ differentialMask: true });
}

/** What stands before the prompt for the text encoder alone; a mere word is another model's. */
function readSystemPrompt(graph: Graph, system: unknown, draft: ForeignDraft): void {
  const text = graph.value(system, "string");
  if (typeof text !== "string" || text.trim() === "" || SYSTEM_END.test(text)) return;
  if (/\s/.test(text.trim())) draft.take({ systemPrompt: `${text.trim()} ` });
  else draft.leave("system_prompt", text);
}

/** The size of what a node begins with: in two numbers, or in words such as `832x1216 (0.68)`. */
function sizeOf(graph: Graph, { inputs }: GraphNode): readonly [unknown, unknown] | undefined {
  const words = (node: Pick<GraphNode, "inputs"> | undefined) =>
    Object.entries(node?.inputs ?? {}).flatMap(([name, value]) => {
      if (!SIZE_WORDS.test(name) || typeof value !== "string") return [];
      const [, width, height] = /(\d{2,5}) ?[x×] ?(\d{2,5})/.exec(value) ?? [];
      return width === undefined || height === undefined ? [] : [[width, height] as const];
    })[0];
  const own = words({ inputs });
  if (own !== undefined) return own;
  for (const [across, down] of SIZES) {
    const [width, height] = [inputs[across], inputs[down]];
    const chosen = words(graph.from(width));
    if (chosen !== undefined) return chosen;
    const found = [graph.value(width, "number", across), graph.value(height, "number", down)];
    if (found[0] !== undefined && found[1] !== undefined) return [found[0], found[1]];
  }
  return undefined;
}

/** What the sides of a picture are called. */
const SIZES = [["width", "height"], ["empty_latent_width", "empty_latent_height"]] as const;
/** Fields in which a size is chosen from a list. */
const SIZE_WORDS = /^(?:resolution|dimensions|size|aspect_?ratio)$/i;

/** A node that lets a mask's greys say how much each place may change. */
const DIFFERENTIAL = /^DifferentialDiffusion/;

/** The inputs of a sampler and of the nodes that it was taken apart into. */
function allInputs(graph: Graph, inputs: JsonObject): JsonObject {
  // What is nearer to the sampler counts.
  const pipe = Object.entries(inputs).find(isPipe)?.[1];
  const handed: JsonObject = [...graph.behind(pipe, (name) => PIPE_INPUT.test(name))]
    .reduceRight((all, node) => ({ ...all, ...node.inputs }), {});
  const noise = graph.from(inputs["noise"])?.inputs ?? {};
  const guider = graph.from(inputs["guider"])?.inputs ?? {};
  const kind = graph.from(inputs["sampler"])?.inputs ?? {};
  const sigmas = inputs["sigmas"];
  const schedules = isLink(sigmas) ? [...graph.behind(sigmas, (name) => name === "sigmas")] : [];
  const schedule = schedules.find(({ inputs }) => "steps" in inputs)?.inputs ?? {};
  return { ...handed, ...schedule, ...kind, ...noise, ...guider, ...inputs };
}

/** How far a sampler goes from what it is given: stated, or by the step that it begins with. */
function strengthOf(graph: Graph, inputs: JsonObject): unknown {
  const [denoise, steps, start] = ["denoise", "steps", "start_at_step"].map((name) =>
    graph.value(inputs[name], "number")
  );
  if (denoise !== undefined) return denoise;
  const isPart = typeof start === "number" && typeof steps === "number" && start > 0;
  return isPart && start <= steps ? 1 - start / steps : undefined;
}

/** How soft the edge of a mask is made on its way to the latents. */
function readMask(graph: Graph, mask: unknown, draft: ForeignDraft): void {
  let count = 0;
  for (const { inputs } of graph.behind(mask, (name) => /^(?:mask|image)/.test(name))) {
    if (++count > MOST_BEHIND) return;
    const [name, value] = Object.entries(inputs).find(([name]) => BLUR.test(name)) ?? [];
    if (name !== undefined) return draft.maskBlur(name, graph.value(value, "number"));
  }
}

/** Fields of pixels over which a mask's edge fades. */
const BLUR = /^(?:(?:mask_)?blur(?:_radius|_size|_pixels)?|feather(?:ing)?|mask_blend_pixels)$/;

/** What enlarges between two samplers, where the second draws the first one's picture again. */
function hiresOf(
  graph: Graph,
  first: GraphNode,
  second: GraphNode,
): AskedSettings["hires"] | undefined {
  const between: GraphNode[] = [];
  for (const node of graph.behind(second.inputs["latent_image"], passLatent)) {
    if (node === first) break;
    between.push(node);
    if (between.length > MOST_BEHIND) return undefined;
  }
  const number = (inputs: JsonObject, name: string) => {
    const value = graph.value(inputs[name], "number");
    return typeof value === "number" ? value : undefined;
  };
  const networks = between.map(({ inputs }) => graph.from(inputs["upscale_model"]))
    .filter((node) => node !== undefined);
  const file = networks[0] && graph.value(networks[0].inputs["model_name"], "string");
  const network = typeof file === "string" ? file.replace(FILE_ENDING, "") : undefined;
  const own = Number(/(?:^|\D)(\d)x|x(\d)(?:\D|$)/i.exec(network ?? "")?.slice(1).join("") ?? NaN);
  const factors = between.map(({ inputs }) => number(inputs, "scale_by")).filter((it) =>
    it !== undefined
  );
  const byFactors = factors.reduce((product, factor) => product * factor, network ? own : 1);
  const target = between.map(({ inputs }) => number(inputs, "width")).find((width) => width);
  const begun = widthOf(graph, first);
  const scale = fromJson(
    SETTINGS.hires.scale.kind,
    target === undefined ? byFactors : begun === undefined ? undefined : target / begun,
  );
  if (scale === undefined || scale === 1) return undefined;
  const inputs = allInputs(graph, second.inputs);
  const strength = fromJson(SETTINGS.hires.strength.kind, strengthOf(graph, inputs) ?? 1);
  // Where a strength is stated, ComfyUI makes all the steps on what is left of the way.
  const stated = number(inputs, "denoise");
  const all = (number(inputs, "steps") ?? NaN) / (stated === undefined ? 1 : stated);
  const steps = fromJson(SETTINGS.hires.steps.kind, Math.floor(all));
  const isLatent = between.some(({ inputs }) => "samples" in inputs && isEnlarging(inputs));
  return {
    scale,
    upscaler: network ?? (isLatent ? "latent" : "lanczos"),
    ...(strength === undefined ? {} : { strength }),
    ...(steps === undefined ? {} : { steps }),
  };
}

const FILE_ENDING = /\.(?:safetensors|sft|pth|pt)$/i;

const isEnlarging = (inputs: JsonObject) => ["scale_by", "width"].some((name) => name in inputs);

/** The width of the picture that a sampler begins with. */
function widthOf(graph: Graph, { inputs }: GraphNode): number | undefined {
  let count = 0;
  for (const node of graph.behind(inputs["latent_image"], passLatent)) {
    if (++count > MOST_BEHIND) return undefined;
    const width = Number(sizeOf(graph, node)?.[0] ?? NaN);
    if (Number.isFinite(width)) return width;
  }
  return undefined;
}

/**
 * The text of one side. A node between sampler and encoders, such as a ControlNet's, has both sides
 * as inputs: the way goes on through the one of the same name.
 */
function promptBehind(graph: Graph, link: unknown, side: Side) {
  const seen = new Set<string>();
  let at = link;
  for (let node = graph.from(at); node !== undefined && !seen.has(node.id); node = graph.from(at)) {
    seen.add(node.id);
    const own = node.inputs[side];
    if (isLink(own)) at = own;
    else if (/Zero/.test(node.type)) return undefined;
    else break;
  }
  return graph.prompt(at, side);
}

function nodesOfPrompt(prompt: unknown): GraphNode[] {
  if (!isObject(prompt)) return [];
  return Object.entries(prompt).flatMap(([id, node]) => {
    if (!isObject(node) || !isObject(node["inputs"])) return [];
    return [{ id, type: String(node["class_type"] ?? ""), inputs: node["inputs"] }];
  });
}

/** The editor's modes of nodes that did not run. */
const NEVER = 2;
const BYPASSED = 4;

/** A node that hands on what it is given, from the first input of its output's type. */
function bypassed(node: JsonObject, sources: ReadonlyMap<unknown, Link>): GraphNode {
  const list = (value: unknown) => (Array.isArray(value) ? value.filter(isObject) : []);
  const [output] = list(node["outputs"]);
  const input = list(node["inputs"]).find(({ type, link }) =>
    type === output?.["type"] && sources.has(link)
  );
  const source = input === undefined ? undefined : sources.get(input["link"]);
  const inputs = source === undefined ? {} : { "": source };
  return { id: String(node["id"]), type: "Reroute", inputs };
}

/**
 * The fields of ComfyUI's own nodes, in the order in which the editor keeps their values; an empty
 * name is a field of the editor alone.
 */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  KSampler: ["seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"],
  KSamplerAdvanced: [
    "",
    "noise_seed",
    "",
    "steps",
    "cfg",
    "sampler_name",
    "scheduler",
    "start_at_step",
  ],
  SamplerCustom: ["", "noise_seed", "", "cfg"],
  RandomNoise: ["noise_seed"],
  KSamplerSelect: ["sampler_name"],
  BasicScheduler: ["scheduler", "steps", "denoise"],
  CFGGuider: ["cfg"],
  FluxGuidance: ["guidance"],
  CLIPTextEncode: ["text"],
  NewBieCLIPTextEncode: ["user_prompt", "system_prompt"],
  NewBieCLIPTextEncodeBasic: ["user_prompt", "system_prompt"],
  CLIPTextEncodeLumina2: ["system_prompt", "user_prompt"],
  EmptyLatentImage: ["width", "height"],
  EmptySD3LatentImage: ["width", "height"],
  CheckpointLoaderSimple: ["ckpt_name"],
  UNETLoader: ["unet_name"],
  LoraLoader: ["lora_name", "strength_model", "strength_clip"],
  LoraLoaderModelOnly: ["lora_name", "strength_model"],
  LatentUpscale: ["upscale_method", "width", "height"],
  LatentUpscaleBy: ["upscale_method", "scale_by"],
  ImageScale: ["upscale_method", "width", "height"],
  ImageScaleBy: ["upscale_method", "scale_by"],
  UpscaleModelLoader: ["model_name"],
  PrimitiveNode: ["value"],
  PrimitiveInt: ["value"],
  PrimitiveString: ["value"],
  PrimitiveStringMultiline: ["value"],
};

function nodesOfWorkflow(workflow: unknown): GraphNode[] {
  if (!isObject(workflow) || !Array.isArray(workflow["nodes"])) return [];
  const links = Array.isArray(workflow["links"]) ? workflow["links"] : [];
  // A link is [id, from node, from output, to node, to input, type], or an object of these.
  const sources = new Map<unknown, Link>(
    links.flatMap((link) =>
      Array.isArray(link)
        ? [[link[0], [link[1], Number(link[2])]]]
        : isObject(link)
        ? [[link["id"], [String(link["origin_id"]), Number(link["origin_slot"])]]]
        : []
    ),
  );
  const nodes = workflow["nodes"].filter(isObject).filter(({ mode }) => mode !== NEVER);
  return nodes.map((node): GraphNode => {
    const type = String(node["type"] ?? "");
    if (node["mode"] === BYPASSED) return bypassed(node, sources);
    const values = node["widgets_values"];
    const fields = Object.hasOwn(FIELDS, type) ? FIELDS[type]! : [];
    const typed = Array.isArray(values)
      ? fields.flatMap((name, index) => name === "" ? [] : [[name, values[index]] as const])
      : Object.entries(isObject(values) ? values : {});
    const connected = (Array.isArray(node["inputs"]) ? node["inputs"] : []).filter(isObject)
      .flatMap(({ name, link }) => {
        const source = sources.get(link);
        return source === undefined ? [] : [[String(name), source] as const];
      });
    return {
      id: String(node["id"]),
      type,
      inputs: Object.fromEntries([...typed, ...connected]),
    };
  });
}
