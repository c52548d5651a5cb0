import { RequestError } from "../../errors.ts";
import type { EngineAddress } from "./types.ts";

/** Where Docker listens unless it is told otherwise. */
const DEFAULT_SOCKET = "/var/run/docker.sock";
const DEFAULT_PORT = 2375;

/**
 * Where the engine is: at `DOCKER_HOST`, as for the docker command, or at the usual socket.
 *
 * @throws {RequestError} When `DOCKER_HOST` names something that cannot be reached from here.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(engineAddress("unix:///run/podman/podman.sock"), {
 *   kind: "socket",
 *   path: "/run/podman/podman.sock",
 * });
 * ```
 */
export function engineAddress(dockerHost: string | undefined): EngineAddress {
  if (!dockerHost) return { kind: "socket", path: DEFAULT_SOCKET };
  const [, path] = /^unix:\/\/(\/.+)$/.exec(dockerHost) ?? [];
  if (path !== undefined) return { kind: "socket", path };
  if (/^(?:tcp|http):\/\//.test(dockerHost) && URL.canParse(dockerHost)) {
    const { hostname, port } = new URL(dockerHost.replace(/^tcp:/, "http:"));
    return { kind: "tcp", host: hostname, port: Number(port || DEFAULT_PORT) };
  }
  throw new RequestError(
    `DOCKER_HOST is ${dockerHost}; expected unix:///path/to/docker.sock or tcp://host:port. ` +
      "An engine behind ssh can be forwarded: " +
      "ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST",
    {
      zh: `DOCKER_HOST 为 ${dockerHost}，应为 unix:///path/to/docker.sock 或 tcp://host:port。` +
        "经 ssh 访问的引擎可以转发：ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST",
    },
  );
}

/** An address as people write it. */
export function addressText(address: EngineAddress): string {
  return address.kind === "socket" ? address.path : `tcp://${address.host}:${address.port}`;
}
