/** What `deno task serve` says. */
import { catalogue } from "../cli/language.ts";

export const { text, both } = catalogue({
  en: {
    description:
      "Opens the studio in the browser, at http://127.0.0.1:7860/, and answers programs that speak " +
      "OpenAI's images API or that of AUTOMATIC1111's web UI. The model stays loaded between " +
      "pictures. It listens on this computer alone; deno task serve:lan listens on the network.",
    options: {
      model: "the folder of the model",
      port: "the port, 7860 to 7869",
      idleOffload: "give the model's memory back after so long without work: 90s, 10m, 2h " +
        "(default: never)",
      allowOrigin: "a page elsewhere that may ask, such as https://example.org; may be repeated",
      lan: "listen on the network; deno task serve:lan has leave for it",
      token:
        "what has to be shown with every request, 16 characters or more (default: with --lan " +
        "a random one)",
      tlsCert: "a certificate for https, a PEM file",
      tlsKey: "its key, a PEM file",
    },
    examples: "\nExamples:\n" +
      "  deno task serve\n" +
      "  deno task serve --port 7861 --idle-offload 10m\n" +
      "  deno task serve:lan --tls-cert cert.pem --tls-key key.pem",
    open: (link: string) => `The studio is open: ${link}`,
    stop: "Ctrl-C stops it.",
    stopping: "Stopping; what waits in the queue is there again next time.",
    shortToken: "The token is too short: give 16 characters or more.",
    tlsTogether: "--tls-cert and --tls-key belong together: give both or neither.",
    duration: "Expected a time such as 90s, 10m or 2h.",
    origin: "Expected an origin such as https://example.org, without a path.",
  },
  zh: {
    description:
      "在浏览器中打开工作室，地址为 http://127.0.0.1:7860/，并应答使用 OpenAI 图像 API 或 " +
      "AUTOMATIC1111 web UI API 的程序。模型在两张图片之间保持加载。只监听本机；" +
      "deno task serve:lan 监听局域网。",
    options: {
      model: "模型所在的文件夹",
      port: "端口，7860 到 7869",
      idleOffload: "闲置多久后释放模型占用的内存：90s、10m、2h（默认：从不）",
      allowOrigin: "允许访问的其他网页，例如 https://example.org；可重复给出",
      lan: "监听局域网；deno task serve:lan 才有此权限",
      token: "每个请求都必须出示的口令，至少 16 个字符（默认：配合 --lan 时随机生成）",
      tlsCert: "https 的证书，PEM 文件",
      tlsKey: "证书的私钥，PEM 文件",
    },
    examples: "\n示例：\n" +
      "  deno task serve\n" +
      "  deno task serve --port 7861 --idle-offload 10m\n" +
      "  deno task serve:lan --tls-cert cert.pem --tls-key key.pem",
    open: (link: string) => `工作室已打开：${link}`,
    stop: "按 Ctrl-C 停止。",
    stopping: "正在停止；排队的任务下次还在。",
    shortToken: "口令太短：请给出至少 16 个字符。",
    tlsTogether: "--tls-cert 和 --tls-key 必须一起给出。",
    duration: "应为 90s、10m 或 2h 这样的时间。",
    origin: "应为 https://example.org 这样不带路径的来源。",
  },
});
