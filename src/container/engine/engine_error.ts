import { NewBieError } from "../../errors.ts";
import type { Texts } from "../../language.ts";
import type { DockerFault } from "./_docker.ts";

/**
 * - `absent`: there is no such socket;
 * - `stopped`: nobody answers on it;
 * - `permission`: this user may not use it;
 * - `not-granted`: Deno's permissions of this task do not reach it;
 * - `refused`: the engine answered that it will not or cannot;
 * - `lost`: the connection ended before the answer did.
 */
export type EngineErrorCode =
  | "absent"
  | "stopped"
  | "permission"
  | "not-granted"
  | "refused"
  | "lost";

/** An engine that cannot be used, or that refused what was asked. */
export class EngineError extends NewBieError {
  override name = "EngineError";
  readonly code: EngineErrorCode;
  /** The HTTP status of what was refused. */
  readonly status: number | undefined;

  constructor(
    code: EngineErrorCode,
    { en, zh }: Texts<string>,
    options: ErrorOptions & { readonly status?: number | undefined } = {},
  ) {
    super(en, { ...options, zh });
    this.code = code;
    this.status = options.status;
  }
}

/** A build whose step failed; the engine is well. */
export class BuildError extends NewBieError {
  override name = "BuildError";
  /** The failing step, as the Dockerfile has it; empty where the failure was before the first. */
  readonly step: string;
  /** What the step printed. */
  readonly output: string;

  constructor(step: string, output: string, reason: string) {
    const printed = output.trim() === "" ? [] : output.trimEnd().split(/\r?\n/);
    const where = step === "" ? [] : [step];
    super({
      en: [`The image was not built: ${reason}`, ...where, ...printed],
      zh: [`镜像未构建：${reason}`, ...where, ...printed],
    });
    this.step = step;
    this.output = output;
  }
}

/** What the engine said, without HTTP's part of it. */
export function reasonOf(error: unknown): string {
  const { json, message = String(error) } = error as Partial<DockerFault>;
  const said = (json as { message?: unknown } | null | undefined)?.message;
  // dockerode puts HTTP's part before what it read from a stream.
  return (typeof said === "string" ? said : message.replace(/^\(HTTP code \d+\) .*? - /, ""))
    .trim();
}

/** An error of dockerode as one that a person can use. */
export function asEngineError(error: unknown, address: string): unknown {
  if (error instanceof NewBieError || !(error instanceof Error)) return error;
  if (error.name === "AbortError") return error;
  const { statusCode, code = "" } = error as DockerFault;
  const reason = reasonOf(error);
  if (statusCode !== undefined) {
    const refused = {
      en: `The container engine refused: ${reason}`,
      zh: `容器引擎拒绝了请求：${reason}`,
    };
    return new EngineError("refused", refused, { cause: error, status: statusCode });
  }
  if (error instanceof Deno.errors.NotCapable || error.name === "NotCapable") {
    return new EngineError("not-granted", {
      en: `This task may not use the container engine at ${address} (${reason}). ` +
        "Allow it with Deno's own options, for example: deno run -A tasks/checkout/build.ts",
      zh: `本任务无权访问位于 ${address} 的容器引擎（${reason}）。` +
        "可以用 Deno 的选项授权，例如：deno run -A tasks/checkout/build.ts",
    }, { cause: error });
  }
  switch (code) {
    case "ENOENT":
      return new EngineError("absent", {
        en: `There is no container engine at ${address}. Install and start Docker ` +
          "(sudo systemctl start docker) or Podman (systemctl --user start podman.socket), or say " +
          "where it listens with DOCKER_HOST=unix:///path/to/docker.sock.",
        zh: `${address} 处没有容器引擎。请安装并启动 Docker（sudo systemctl start docker）` +
          "或 Podman（systemctl --user start podman.socket），" +
          "或用 DOCKER_HOST=unix:///path/to/docker.sock 指明位置。",
      }, { cause: error });
    case "ECONNREFUSED":
      return new EngineError("stopped", {
        en: `The container engine at ${address} is not running. Start it: ` +
          "sudo systemctl start docker",
        zh: `位于 ${address} 的容器引擎没有运行。请启动它：sudo systemctl start docker`,
      }, { cause: error });
    case "EACCES":
    case "EPERM":
      return new EngineError("permission", {
        en:
          `This user may not use the container engine at ${address}. An administrator can allow ` +
          "it (sudo usermod -aG docker $USER, then log in again), or use a rootless engine.",
        zh: `当前用户无权使用位于 ${address} 的容器引擎。管理员可以授权` +
          "（sudo usermod -aG docker $USER，然后重新登录），也可以使用无 root 的引擎。",
      }, { cause: error });
    case "ECONNRESET":
    case "EPIPE":
    case "ERR_STREAM_PREMATURE_CLOSE":
      return new EngineError("lost", {
        en: `The container engine at ${address} ended the connection (${reason}).`,
        zh: `位于 ${address} 的容器引擎断开了连接（${reason}）。`,
      }, { cause: error });
    default:
      return error;
  }
}
