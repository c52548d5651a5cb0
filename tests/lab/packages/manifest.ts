/** What the schemas of Kubernetes' API say of a JSON list of objects on stdin: a list of problems. */
import { text } from "node:stream/consumers";
import process from "node:process";
import { validate as job } from "kubernetes-models/_schemas/IoK8sApiBatchV1Job";
import { validate as networkPolicy } from "kubernetes-models/_schemas/IoK8sApiNetworkingV1NetworkPolicy";

/** As the package compiles it from the API's OpenAPI. */
interface Validate {
  (data: unknown): boolean;
  errors?: readonly { instancePath: string; keyword: string; params: unknown }[] | null;
}

const SCHEMAS: Readonly<Record<string, Validate>> = {
  "batch/v1 Job": job as Validate,
  "networking.k8s.io/v1 NetworkPolicy": networkPolicy as Validate,
};

const problems: string[] = [];
for (const value of JSON.parse(await text(process.stdin))) {
  const kind = `${value.apiVersion} ${value.kind}`;
  const validate = SCHEMAS[kind];
  if (validate === undefined) problems.push(`${kind}: no such kind`);
  else problems.push(...problemsOf(value, validate).map((problem) => `${value.kind}${problem}`));
}
console.log(JSON.stringify(problems));

/** Schemas leave unknown fields in peace, as Kubernetes does that ignores them. Here they are faults. */
function problemsOf(value: unknown, validate: Validate): string[] {
  const asked = new Set<string>();
  validate(watched(value, "", asked));
  const wrong = (validate.errors ?? []).map(({ instancePath, keyword, params }) =>
    `${instancePath}: ${keyword} ${JSON.stringify(params)}`
  );
  return [...wrong, ...pathsIn(value).filter((path) => !asked.has(path)).map((path) =>
    `${path}: no such field`
  )];
}

/** Notes which fields a schema asks for: all that it knows. */
function watched(value: unknown, path: string, asked: Set<string>): unknown {
  if (typeof value !== "object" || value === null) return value;
  return new Proxy(value, {
    get(target, key) {
      const place = `${path}/${String(key)}`;
      asked.add(place);
      return watched(Reflect.get(target, key), place, asked);
    },
  });
}

/** Every field's path. */
function pathsIn(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const place = `${path}/${key}`;
    return [place, ...pathsIn(inner, place)];
  });
}
