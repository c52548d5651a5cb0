/** `deno task serve` and `deno task serve:lan`: the page in the browser, and the APIs. */
import { InvalidArgumentError } from "commander";
import { RequestError } from "../src/errors.ts";
import { createApp, LIMITS, machineReports, serve } from "../src/server/mod.ts";
import { Gallery } from "../src/studio/gallery.ts";
import { GivenPictures } from "../src/studio/given_pictures.ts";
import { PictureQueue } from "../src/studio/picture_queue.ts";
import { PictureThread } from "../src/studio/picture_thread.ts";
import { PRESET_FOLDER } from "../src/studio/preset.ts";
import { PromptDesk } from "../src/studio/prompt_desk.ts";
import { WILDCARD_FOLDER } from "../src/studio/prompt_template.ts";
import { readText } from "../src/studio/read_text.ts";
import { StudioThread } from "../src/studio/studio_thread.ts";
import {
  addGpuOption,
  addModelOptions,
  addPartOptions,
  type GpuOptions,
  type ModelOptions,
  type PartOptions,
  partOptions,
} from "./cli/model_options.ts";
import { outputRootHelp, outputsOf } from "./cli/output_root.ts";
import { language, run, task, tell, wholeNumber } from "./cli/task.ts";
import { print } from "./cli/print.ts";
import { onSignals } from "./cli/signals.ts";
import { lanAddresses, linkWithToken, newToken, qrCode } from "./serve/lan.ts";
import { both, text } from "./serve/texts.ts";

interface Options extends ModelOptions, GpuOptions, PartOptions {
  readonly json?: true;
  readonly model: string;
  readonly port: number;
  readonly idleOffload: number;
  readonly allowOrigin: readonly string[];
  readonly lan?: true;
  readonly token?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly outputRoot?: string;
}

const PORT = 7860;
const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

const { options: help } = text;
const command = task("serve", text.description)
  .option("--model <folder>", help.model, ".")
  .option("--port <number>", help.port, wholeNumber, PORT)
  .option("--idle-offload <time>", help.idleOffload, duration, Infinity)
  .option("--allow-origin <origin>", help.allowOrigin, origin, [])
  .option("--lan", help.lan)
  .option("--token <text>", help.token)
  .option("--tls-cert <file>", help.tlsCert)
  .option("--tls-key <file>", help.tlsKey)
  .option("--output-root <folder>", outputRootHelp)
  .addHelpText("after", text.examples);
addPartOptions(addGpuOption(addModelOptions(command)));

await run<Options>(command, async (options) => {
  const { model, port, lan = false } = options;
  const { device, gpus, dtype, offload, threads } = options;
  const loading = { device, gpus, dtype, offload, threads, language, ...partOptions(options) };
  const tls = await certificate(options);
  if (options.token !== undefined && options.token.length < 16) {
    throw new RequestError(both((text) => text.shortToken));
  }
  const token = options.token ?? (lan ? newToken() : undefined);
  const root = await outputsOf(options);
  const log: string[] = [];
  const note = (line: string) => {
    log.push(line);
    tell(line);
  };
  await using gallery = await Gallery.open({ root });
  using thread = new PictureThread();
  const desk = await PromptDesk.open(model, loading);
  await using queue = await PictureQueue.open({
    open: () => {
      log.length = 0;
      return StudioThread.open(model, loading, note);
    },
    idleMilliseconds: options.idleOffload,
    root,
    file: `.cache/serve/queue-${port}.json`,
  });
  const scheme = tls === undefined ? "http" : "https";
  const names = ["127.0.0.1", "localhost", "[::1]"].map((name) => `${name}:${port}`);
  const app = createApp({
    queue,
    gallery,
    given: new GivenPictures(thread, { root }),
    thread,
    presets: PRESET_FOLDER,
    wildcards: WILDCARD_FOLDER,
    desk,
    diagnose: machineReports(model),
    log,
    access: {
      ...(lan ? {} : { hosts: names }),
      ...(token === undefined ? {} : { token }),
      origins: options.allowOrigin,
    },
    limits: LIMITS,
  });
  const server = serve(app, {
    hostname: lan ? "0.0.0.0" : "127.0.0.1",
    port,
    ...(tls === undefined ? {} : { tls }),
  });
  const stopped = signalled();
  try {
    await Promise.race([queue.load(), stopped]);
    const hosts = lan ? lanAddresses() : ["127.0.0.1"];
    const links = hosts.map((host) => linkWithToken(`${scheme}://${host}:${port}/`, token));
    for (const link of links) print(text.open(link));
    if (lan) tell(qrCode(links[0]!));
    tell(text.stop);
    await stopped;
    tell(text.stopping);
    await queue[Symbol.asyncDispose]();
  } finally {
    await server.close();
  }
  return { port };
});

/** Resolves with Ctrl-C or SIGTERM; a second one ends the process at once. */
function signalled(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isAsked = false;
  const stop = () => {
    if (isAsked) Deno.exit(130);
    isAsked = true;
    resolve();
  };
  onSignals(["SIGINT", "SIGTERM"], stop);
  return promise;
}

async function certificate({ tlsCert, tlsKey }: Options) {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new RequestError(both((text) => text.tlsTogether));
  }
  return { cert: await readText(tlsCert), key: await readText(tlsKey) };
}

/** Reads `10m`, `90s`, `2h`. */
function duration(value: string): number {
  const [, count, unit] = /^(\d{1,6})([smh])$/.exec(value) ?? [];
  if (count === undefined) throw new InvalidArgumentError(text.duration);
  return Number(count) * UNITS[unit!]!;
}

function origin(value: string, before: readonly string[]): readonly string[] {
  if (URL.parse(value)?.origin !== value) throw new InvalidArgumentError(text.origin);
  return [...before, value];
}
