/** Who may speak to the server; what browsers send is in the Fetch standard. */
import assert from "node:assert/strict";
import { LIMITS } from "../../src/server/mod.ts";
import { inTempFolder, temporaryFolder } from "../_folders.ts";
import { fakeServer, fakeStudio, HOST } from "./_fake.ts";

async function statuses(
  access: Parameters<typeof fakeServer>[1],
  requests: readonly (readonly [path: string, init: RequestInit])[],
): Promise<number[]> {
  await using folder = await temporaryFolder();
  await using server = await fakeServer(folder.path, access);
  const found: number[] = [];
  for (const [path, init] of requests) {
    const response = await server.ask(path, init);
    await response.body?.cancel();
    found.push(response.status);
  }
  return found;
}

Deno.test("a name that was made to lead here is refused", async () => {
  const requests = [HOST, "evil.example", "127.0.0.1:80", ""].map((host) =>
    ["/api/jobs", { headers: { Host: host } }] as const
  );
  assert.deepEqual(await statuses({}, requests), [200, 403, 403, 403]);
});

Deno.test("a method that nothing is asked with is refused as such", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const response = await server.ask("/api/jobs", { method: "PROPFIND" });
    assert.equal(response.status, 405);
    assert.match(response.headers.get("Allow")!, /^GET, HEAD, POST\b/);
    assert.match((await response.json()).error.message, /"PROPFIND"; expected GET/);
  });
});

Deno.test("a page elsewhere can neither ask nor embed, and may be visited from", async () => {
  const from = (headers: Record<string, string>, path = "/api/jobs") =>
    [path, { headers }] as const;
  const visit = { "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document" };
  assert.deepEqual(
    await statuses({}, [
      from({ Origin: `http://${HOST}` }),
      from({ Origin: "http://evil.example" }),
      from({ Origin: "null" }),
      from({ "Sec-Fetch-Site": "cross-site" }),
      from({ "Sec-Fetch-Site": "same-site" }),
      from({ "Sec-Fetch-Site": "same-origin" }),
      from({ "Sec-Fetch-Site": "cross-site", ...visit }),
      from({ "Sec-Fetch-Site": "cross-site", ...visit }, "/"),
    ]),
    [200, 403, 403, 403, 403, 200, 403, 200],
  );
});

Deno.test("a page that --allow-origin names may ask, and no other is told that it may", async () => {
  await inTempFolder(async (folder) => {
    const origin = "https://chat.example";
    const access = { hosts: [HOST], origins: [origin] };
    await using server = await fakeServer(folder, { access });
    const asked = await server.ask("/v1/models", {
      method: "OPTIONS",
      headers: { Origin: origin },
    });
    assert.equal(asked.status, 204);
    assert.equal(asked.headers.get("Access-Control-Allow-Origin"), origin);
    const other = await server.ask("/v1/models", { headers: { Origin: "https://other.example" } });
    assert.equal(other.status, 403);
    assert.equal(other.headers.get("Access-Control-Allow-Origin"), null);
  });
});

Deno.test("where there is a token, nothing is answered without it", async () => {
  const token = "0123456789abcdefghij";
  const access = { token, origins: [] };
  const headers = (Authorization: string) => ({ headers: { Authorization } });
  const paths = ["/", "/page.js", "/api/jobs", "/v1/models", "/sdapi/v1/options", "/openapi.json"];
  assert.deepEqual(
    await statuses({ access }, [
      ...paths.map((path) => [path, {}] as const),
      ["/api/jobs", headers("Bearer wrong")],
      ["/api/jobs?token=" + token, {}],
      ["/api/jobs", headers(`Bearer ${token}`)],
      ["/api/jobs", headers(`bearer  ${token}`)],
      ["/sdapi/v1/options", headers(`Basic ${btoa(`anyone:${token}`)}`)],
      ["/api/jobs", { headers: { Cookie: `a=b; newbie_token=${token}` } }],
    ]),
    [...paths.map(() => 401), 401, 401, 200, 200, 200, 200],
  );
});

Deno.test("the link's token becomes a cookie that scripts and other sites cannot have", async () => {
  await inTempFolder(async (folder) => {
    const token = "0123456789abcdefghij";
    await using server = await fakeServer(folder, { access: { token, origins: [] } });
    const response = await server.ask(`/?token=${token}`);
    assert.equal(response.status, 302);
    assert.equal(response.headers.get("Location"), "/");
    const cookie = response.headers.get("Set-Cookie")!;
    for (const word of ["HttpOnly", "SameSite=Strict"]) assert(cookie.includes(word), cookie);
  });
});

Deno.test("no answer lets a page load or run anything from elsewhere", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    for (const path of ["/", "/api/jobs", "/nothing", "/v1/models"]) {
      const { headers } = await server.ask(path);
      const policy = headers.get("Content-Security-Policy")!;
      assert.match(policy, /default-src 'none'/);
      assert(!/unsafe|https?:|\*/.test(policy), policy);
      assert.equal(headers.get("X-Content-Type-Options"), "nosniff");
    }
  });
});

Deno.test("no name leads out of the outputs, and no link does", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    const job = server.queue.add({ request: { prompt: "a" } });
    await server.queue.finished(job.id);
    const [day] = [...Deno.readDirSync(server.root)].map(({ name }) => name);
    await Deno.writeTextFile(`${folder}/secret.png`, "secret");
    await Deno.symlink(`${folder}/secret.png`, `${server.root}/${day}/link.png`);
    await Deno.symlink(folder, `${server.root}/elsewhere`);
    const names = [
      "../secret.png",
      "..%2fsecret.png",
      "%2e%2e/secret.png",
      "%252e%252e%252fsecret.png",
      "..%5csecret.png",
      `${day}/../../secret.png`,
      `${day}%2f..%2f..%2fsecret.png`,
      `${day}/link.png`,
      "elsewhere/secret.png",
      `/${folder}/secret.png`,
      `${day}/output.png%00.png`,
      "",
    ];
    for (const name of names) {
      for (const kind of ["file", "thumbnail", "recipe"]) {
        const response = await server.ask(`/api/gallery/${kind}/${name}`);
        assert.equal(response.status, 404, `${kind} ${name}`);
        assert(!(await response.text()).includes('secret"'), name);
      }
      const removed = await server.ask(`/api/gallery/file/${name}`, { method: "DELETE" });
      assert.equal(removed.status, 404, name);
    }
    assert.equal(await Deno.readTextFile(`${folder}/secret.png`), "secret");
    assert.equal((await server.ask(`/api/gallery/file/${day}/output.png`)).status, 200);
  });
});

Deno.test("what is too large is refused before it is read", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    let pulled = 0;
    const endless = new ReadableStream({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(1 << 20));
      },
    });
    const streamed = await server.ask("/api/prompts/lint", { method: "POST", body: endless });
    assert.equal(streamed.status, 413);
    assert(pulled < 10, `${pulled} MiB were read`);
    const stated = await server.ask("/api/recipe", {
      method: "POST",
      body: "x",
      headers: { "Content-Length": String(2 ** 40) },
    });
    assert.equal(stated.status, 413);
  });
});

Deno.test("so many large requests are refused that not all can be held at once", async () => {
  await inTempFolder(async (folder) => {
    const studio = fakeStudio({ stepMilliseconds: 50 });
    const limits = { ...LIMITS, heldBytes: 3000 };
    await using server = await fakeServer(folder, { studio, limits });
    const ask = () =>
      server.ask("/sdapi/v1/txt2img", {
        json: { prompt: "a", alwayson_scripts: { picture: "x".repeat(1200) } },
        headers: { "Content-Length": "1300" },
      });
    const answers = await Promise.all([ask(), ask(), ask(), ask()]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 503, 503]);
    assert.equal((await ask()).status, 200);
  });
});

Deno.test("a request that asks for too much is told how much it may ask for", async () => {
  await inTempFolder(async (folder) => {
    await using server = await fakeServer(folder);
    for (
      const [json, said] of [
        [{ prompt: "a", count: 101 }, /count is 101.*at most 100/],
        [{ prompt: "a", steps: 201 }, /steps is 201.*at most 200/],
        [{ prompt: "a", width: 8192, height: 8192 }, /at most 4194304/],
        [{ prompt: "a", width: 100 }, /multiple of 16, such as 96/],
        [{ prompt: "" }, /empty/],
        [{ prompt: "a ".repeat(1 << 16) }, /prompt has 131072 characters; at most 65536/],
        [{ prompt: "<character_1>" }, /Line 1, column 1/],
        [{ prompt_file: "/etc/passwd" }, /there is no "prompt_file"/],
        [{ prompt: "a", output: "../../x.png" }, /there is no "output"/],
        [{ prompt: "a", nonsense: 1 }, /there is no "nonsense"/],
        [{ prompt: "a", image: "/etc/passwd" }, /no picture of that name/],
        [{ prompt: "a", image: "models/demo/health_check.png" }, /no picture of that name/],
        [{ prompt: "a", image: "data:image/png;base64,AAAA" }, /picture/],
        [{ prompt: "a", image: "data:image/png;base64,A*" }, /whole base64/],
        [{ prompt: "a", strength: 0.5 }, /strength says nothing without a picture/],
        [{ prompt: "a", mask: "x.png" }, /mask says nothing without a picture/],
        [{ prompt: "a", mask_blur: 4 }, /mask_blur says nothing without a mask/],
        [{ prompt: "a", hires: 2, hires_upscaler: "/etc/passwd" }, /expected one of lanczos/],
        [{ prompt: "a", hires: 4, width: 1024, height: 1024 }, /at most 4194304/],
        [{ prompt: "a", grid: "seed=1-101" }, /count is 101/],
        [{ prompt: "a", grid: "size=64,4096" }, /at most 4194304/],
        [{ prompt: "a", grid: "image=/etc/passwd,/etc/hosts" }, /cannot be an axis/],
        [{ prompt: "a", grid: "seed=1,2", count: 3 }, /leave out "count"/],
        [{ prompt: "a", preset: "../../secret" }, /name of a preset/],
        [{ prompt: "a", preset: "nothing" }, /no preset "nothing"/],
        [{ prompt: "a", lora: "/etc/passwd" }, /no adapter/],
        [{ prompt: "a <lora:../../secret:1>" }, /no adapter/],
      ] as const
    ) {
      const response = await server.ask("/api/jobs", { json });
      const { error } = await response.json();
      assert.equal(response.status, 400, JSON.stringify(json));
      assert.match(error.message, said);
    }
    const inChinese = await server.ask("/api/jobs", {
      json: { prompt: "" },
      headers: { "Accept-Language": "zh-CN,zh;q=0.9" },
    });
    assert.equal((await inChinese.json()).error.message, "提示词为空。");
    assert.equal(server.painted.prompts.length, 0);
  });
});
