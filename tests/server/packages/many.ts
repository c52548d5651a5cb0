/** Fifty clients at once, of all three protocols, each with a seed of its own. */
import { Buffer } from "node:buffer";
import OpenAI from "openai";

const [url] = Deno.args as [string];
const CLIENTS = 50;
const SIZE = 64;
const openai = new OpenAI({ baseURL: `${url}v1`, apiKey: "none", maxRetries: 0 });

async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${url}${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

interface Job {
  readonly id: string;
  readonly state: string;
  readonly pictures: readonly { readonly name: string; readonly prompt: string }[];
}

/** What a client asks for is told from what the others ask for by its prompt and its seed. */
const CLIENT_KINDS = [
  async (prompt: string, seed: number) => {
    const asked = { prompt, seed, steps: 1, width: SIZE, height: SIZE };
    const { images } = await post<{ images: [string] }>("sdapi/v1/txt2img", asked);
    return images[0];
  },
  async (prompt: string, seed: number) => {
    const more = { seed, steps: 1 } as object;
    const asked = { prompt, size: `${SIZE}x${SIZE}` as "256x256", ...more };
    const { data } = await openai.images.generate(asked);
    return data![0]!.b64_json!;
  },
  async (prompt: string, seed: number) => {
    const asked = { prompt, seed: String(seed), steps: 1, width: SIZE, height: SIZE };
    const { id } = await post<Job>("api/jobs", asked);
    for (;;) {
      const { jobs } = await (await fetch(`${url}api/jobs`)).json() as { jobs: readonly Job[] };
      const job = jobs.find((one) => one.id === id)!;
      if (job.state === "failed") throw new Error(JSON.stringify(job));
      if (job.state === "done") {
        const [{ name }] = job.pictures as [{ name: string }];
        const file = await fetch(`${url}api/gallery/file/${name}`);
        if (!file.ok) throw new Error(`${name}: ${file.status}`);
        return Buffer.from(await file.arrayBuffer()).toString("base64");
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },
];

/** A picture without what is written into it: its compressed pixels. */
function pixels(png: string): string {
  const bytes = Buffer.from(png, "base64");
  const parts: string[] = [];
  for (let at = 8; at < bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString("latin1", at + 4, at + 8);
    if (type === "IDAT") parts.push(bytes.toString("base64", at + 8, at + 8 + length));
    at += length + 12;
  }
  return parts.join();
}

const clients = Array.from({ length: CLIENTS }, (_, index) => ({
  prompt: `1girl, client_${index}_of_all`,
  seed: 1000 + index,
  kind: CLIENT_KINDS[index % CLIENT_KINDS.length]!,
}));
const pictures = await Promise.all(clients.map(({ kind, prompt, seed }) => kind(prompt, seed)));
for (const [index, picture] of pictures.entries()) {
  const { info } = await post<{ info: string }>("sdapi/v1/png-info", { image: picture });
  const { prompt, seed } = clients[index]!;
  if (!info.includes(prompt) || !info.includes(`Seed: ${seed},`)) {
    throw new Error(`client ${index} got another's picture: ${info}`);
  }
}
if (new Set(pictures.map(pixels)).size !== CLIENTS) throw new Error("two pictures are the same");
// Alone, with nobody beside it, a client gets the same pixels.
for (const index of [0, 16, 32, CLIENTS - 1]) {
  const { kind, prompt, seed } = clients[index]!;
  if (pixels(await kind(prompt, seed)) !== pixels(pictures[index]!)) {
    throw new Error(`client ${index} gets another picture when it is alone`);
  }
}
console.log("done");
