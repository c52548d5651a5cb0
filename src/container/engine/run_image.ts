import type { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import { NewBieError } from "../../errors.ts";
import type { DockerContainer } from "./_docker.ts";
import { Loopback } from "./_loopback.ts";
import type { Engine } from "./engine.ts";
import { asEngineError, EngineError, reasonOf } from "./engine_error.ts";
import type { RunRequest } from "./types.ts";

/**
 * Runs an image with no network and a root that cannot be written, and passes on what it reads and
 * prints. The container is gone in the end, whatever happens: when this process is killed, what runs
 * in the container ends too, and the engine removes it. The image needs a shell, and bash for a port.
 *
 * @returns The exit code of what ran.
 * @throws {EngineError} When the engine cannot be reached or refuses.
 * @throws {NewBieError} When another program has the port.
 */
export async function runImage(engine: Engine, request: RunRequest): Promise<number> {
  await using loopback = request.port === undefined ? null : await Loopback.open(request.port);
  // Left by processes that were killed at that moment; another may be about to start a younger one.
  await engine.removeUnstarted(LABEL, UNSTARTED_SECONDS).catch(() => {});
  const container = await engine.createContainer(optionsOf(request));
  try {
    return await converse(engine, container, request, loopback);
  } catch (error) {
    throw explained(asEngineError(error, engine.address));
  } finally {
    // With the volumes that no mount stands in for.
    await container.remove({ force: true, v: true }).catch(() => {});
  }
}

/** Marks containers that were made here. */
const LABEL = "newbie.task";
const UNSTARTED_SECONDS = 60;

function optionsOf(request: RunRequest): Readonly<Record<string, unknown>> {
  const { image, command, mounts, environment, user, hasGpus, terminal } = request;
  return {
    Image: image.id,
    Entrypoint: ["sh", "-c", GATE, "sh"],
    Cmd: [...image.entrypoint, ...command],
    User: user,
    Labels: { [LABEL]: "" },
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    Tty: terminal !== undefined,
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    // What runs for one request ends by itself.
    Healthcheck: { Test: ["NONE"] },
    HostConfig: {
      // By the engine, as this process may be killed.
      AutoRemove: true,
      NetworkMode: "none",
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Tmpfs: { "/tmp": "" },
      Mounts: mounts.map(({ source, target, isReadOnly }) => ({
        Type: "bind",
        Source: source,
        Target: target,
        ReadOnly: isReadOnly,
      })),
      ...(hasGpus ? { DeviceRequests: [{ Driver: "", Count: -1, Capabilities: [["gpu"]] }] } : {}),
    },
  };
}

/** Is there as soon as somebody guards the container. */
const GUARDED = "/tmp/.guarded";
/**
 * Waits until the container is guarded, and then becomes what the image runs: nothing runs in it that
 * would go on when this process is killed. Where no guard comes, it ends.
 */
const GATE = `i=0; while [ ! -e ${GUARDED} ]; do i=$((i + 1)); [ $i -le 200 ] || exit 125; ` +
  'sleep 0.05; done; exec "$@"';
/**
 * Reads until there is nobody to write any more, and ends all that runs in the container: first as a
 * person would, and then whatever is left.
 */
const GUARD = `: > ${GUARDED}; while read -r _; do :; done; ` +
  "kill -TERM 1; sleep 2; kill -KILL -1";

/**
 * Starts a second program in the container that ends the first when this process is gone, however it
 * goes: the engine closes what the program reads.
 *
 * @returns What has to stay open while the container runs.
 */
async function startGuard(container: DockerContainer): Promise<Duplex> {
  const exec = await container.exec({ Cmd: ["sh", "-c", GUARD], AttachStdin: true });
  const stream = await exec.start({ hijack: true, stdin: true });
  stream.on("error", () => {});
  stream.resume();
  return stream;
}

async function converse(
  engine: Engine,
  container: DockerContainer,
  { terminal, stdin, stdout, stderr, onSignal }: RunRequest,
  loopback: Loopback | null,
): Promise<number> {
  const stream: Duplex = await container.attach({
    stream: true,
    hijack: true,
    stdin: true,
    stdout: true,
    stderr: true,
  });
  if (terminal === undefined) engine.demux(stream, stdout, stderr);
  else stream.pipe(stdout, { end: false });
  const printed = finished(stream, { writable: false, error: false }).catch(() => {});

  // Asked before the start, or a short run would be over before anyone waits.
  const ended = container.wait({ condition: "next-exit" });
  ended.catch(() => {});
  await container.start();
  const guard = await startGuard(container);
  loopback?.leadInto(container, engine);
  stdin.pipe(stream);
  onSignal((signal) => void container.kill({ signal }).catch(() => {}));
  if (terminal !== undefined) {
    const resize = () => {
      const { columns: w, rows: h } = terminal.size();
      void container.resize({ w, h }).catch(() => {});
    };
    terminal.onResize(resize);
    resize();
  }
  try {
    const { StatusCode } = await ended;
    await printed;
    return StatusCode;
  } finally {
    stdin.unpipe(stream);
    stream.destroy();
    guard.destroy();
  }
}

/** What engines say about GPUs does not help a person who sees it for the first time. */
function explained(error: unknown): unknown {
  if (!(error instanceof EngineError) || !/device driver|nvidia|CDI/i.test(error.message)) {
    return error;
  }
  const reason = reasonOf(error.cause);
  return new NewBieError(
    `The engine cannot pass the GPU through (${reason}). Install the NVIDIA Container ` +
      "Toolkit and run: sudo nvidia-ctk runtime configure --runtime=docker; sudo systemctl restart " +
      "docker. Without a GPU: --gpu none",
    {
      cause: error,
      zh: `引擎无法将 GPU 传入容器（${reason}）。请安装 NVIDIA Container Toolkit，然后运行：` +
        "sudo nvidia-ctk runtime configure --runtime=docker；sudo systemctl restart docker。" +
        "不使用 GPU：--gpu none",
    },
  );
}
