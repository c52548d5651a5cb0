/** The machine: the model, where it computes and why, memory, what doctor says. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { report } from "./actions.ts";
import { api } from "./api.ts";
import { promptTextsOf } from "./prompt_texts.ts";
import { useStore } from "./store.ts";
import { textsOf } from "./texts.ts";
import type { Machine } from "./types.ts";

const REFRESH = 5000;
/** What doctor calls its word on how much memory the loaded model needs. */
const FITS: readonly string[] = ["gpu-memory-fits", "memory-fits"];

export function MachineView() {
  const { language, model } = useStore();
  const texts = textsOf(language);
  const [machine, setMachine] = useState<Machine | undefined>(undefined);

  useEffect(() => {
    let isShown = true;
    const load = () => api.machine().then((read) => isShown && setMachine(read), () => {});
    void load();
    const timer = setInterval(load, REFRESH);
    return () => {
      isShown = false;
      clearInterval(timer);
    };
  }, [language, model.state]);

  if (machine === undefined) {
    return (
      <main class="machine" id="main" aria-busy="true">
        <h1 class="visually-hidden">{texts.machine}</h1>
      </main>
    );
  }
  const own = promptTextsOf(language);
  const { facts, memory, rss, log, findings, adapters } = machine;
  const fits = findings.find(({ code }) => FITS.includes(code));
  const used = 1 - memory.free / memory.total;
  return (
    <main class="machine" id="main">
      <h1 class="visually-hidden">{texts.machine}</h1>
      <section class="panel">
        <header>
          <h2>{texts.model}</h2>
          <span class={`state ${model.state}`}>{texts.modelStates[model.state]}</span>
          {model.state === "loaded"
            ? (
              <button
                type="button"
                class="button quiet"
                onClick={() => api.unload().catch(report)}
              >
                {texts.unload}
              </button>
            )
            : (
              <button
                type="button"
                class="button quiet"
                disabled={model.state === "loading"}
                onClick={() => api.load().catch(report)}
              >
                {texts.load}
              </button>
            )}
        </header>
        {model.state === "failed" && <p class="failure">{model.error[language]}</p>}
        {facts !== null && (
          <dl>
            {facts.isDemo && <Row name={texts.model} value={texts.demo} />}
            <Row name={texts.device} value={facts.device.toUpperCase()} />
            <Row name={own.processor} value={facts.processor} />
            <Row name={texts.arithmetic} value={facts.dtype} />
            {facts.kernels !== undefined && (
              <Row name={own.kernels} value={own.kernelNames[facts.kernels] ?? facts.kernels} />
            )}
            <Row name={texts.offload} value={texts.offloads[facts.offload] ?? facts.offload} />
            {fits !== undefined && <Row name={own.fits} value={fits.message} />}
            <Row
              name={texts.sampler}
              value={`${facts.scheduler.name}, shift ${facts.scheduler.shift}`}
            />
            {Object.entries(facts.weights).map(([part, path]) => (
              <Row key={part} name={texts.parts[part] ?? part} value={path} isCode>
                <span class={`verified ${facts.verified.includes(part) ? "yes" : "no"}`}>
                  {facts.verified.includes(part) ? `✓ ${own.isVerified}` : own.notVerified}
                </span>
              </Row>
            ))}
            <Row
              name={own.verified}
              value={own.verifiedParts(facts.verified.length, Object.keys(facts.weights).length)}
            />
          </dl>
        )}
        {log.length > 0 && (
          <>
            <h3>{texts.why}</h3>
            <ul class="log">{log.map((line, index) => <li key={index}>{line}</li>)}</ul>
          </>
        )}
      </section>
      <div class="machine-side">
        <section class="panel">
          <header>
            <h2>{texts.memory}</h2>
          </header>
          <meter min={0} max={1} high={0.9} value={used} aria-label={texts.memory} />
          <dl>
            <Row
              name={texts.memory}
              value={texts.freeMemory(bytes(memory.free), bytes(memory.total))}
            />
            <Row name={texts.processMemory} value={bytes(rss)} />
          </dl>
        </section>
        <section class="panel">
          <header>
            <h2>{own.adapters}</h2>
            {adapters.length > 0 && <span class="hint">{adapters.length}</span>}
          </header>
          {adapters.length === 0 ? <p class="hint none">{own.noAdapters}</p> : (
            <dl>
              {adapters.map(({ name, bytes: size = 0, format, parts = [], problem }) => (
                <Row
                  key={name}
                  name={name}
                  value={problem ??
                    [
                      format,
                      parts.map((part) => texts.parts[part] ?? part).join(", "),
                      bytes(size),
                    ].filter((said) => said !== undefined && said !== "").join(" · ")}
                  isFault={problem !== undefined}
                />
              ))}
            </dl>
          )}
        </section>
      </div>
      <section class="panel findings">
        <header>
          <h2>{texts.doctor}</h2>
        </header>
        <ul>
          {findings.map(({ severity, message, fix }, index) => (
            <li key={index} class={severity}>
              <span class="mark" aria-hidden="true">{MARKS[severity] ?? "·"}</span>
              <div>
                <p>{message}</p>
                {fix !== undefined && <pre tabIndex={0}>{fix}</pre>}
              </div>
            </li>
          ))}
        </ul>
      </section>
    </main>
  );
}

const MARKS: Readonly<Record<string, string>> = { ok: "✓", note: "i", warning: "!", error: "✗" };

function Row({ name, value, isCode = false, isFault = false, children }: {
  readonly name: string;
  readonly value: string;
  readonly isCode?: boolean;
  readonly isFault?: boolean;
  readonly children?: ComponentChildren;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={isFault ? "over" : ""}>
        {isCode ? <code>{value}</code> : value}
        {children}
      </dd>
    </div>
  );
}

function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, count)) / 10));
  return `${(count / 2 ** (10 * power)).toFixed(power < 3 ? 0 : 1)} ${units[power]}`;
}
