# The image of the toolkit. `deno task build` gathers its context: every byte pinned, verified, and
# in one tar archive, so that no step here has or needs a network.
#
#   tools/     Deno and tini, as their publishers packed them
#   packages/  node_modules, laid from the tarballs that deno.lock names
#   app/       the toolkit's own files

# The images to build on. The second is for machines without a GPU: --build-arg BASE=ubuntu:…
ARG CUDA_IMAGE=nvidia/cuda:13.0.3-cudnn-runtime-ubuntu24.04@sha256:af851538a2bb05f587f27b660d61de3643d964e75ef5c04f4086ff2b36f2a12a
ARG CPU_IMAGE=ubuntu:noble-20260911@sha256:496754492fb28b4d3049432f2ca787449331e23fb14f0dd3fffea86bf5a93eb4
ARG BASE=${CUDA_IMAGE}

FROM ${BASE} AS prepared

WORKDIR /tools
COPY tools/ ./
RUN dpkg-deb --extract tini.deb tini \
  && mkdir bin \
  && cp deno bin/deno \
  && cp tini/usr/bin/tini-static bin/tini \
  && sha256sum --check --strict --quiet SHA256SUMS \
  && chmod 0755 bin bin/*
ENV PATH=/tools/bin:$PATH

WORKDIR /app
COPY packages/ node_modules/
COPY app/ ./
# Patches, a look at everything that is pinned, and the sources as JavaScript.
ENV DENO_DIR=/deno NO_COLOR=1
RUN deno task --quiet install \
  && deno task --quiet verify \
  && deno cache --quiet --frozen src/mod.ts tasks/*.ts
# Deno's databases beside them: there, as Deno complains on a terminal when it cannot make them; and
# empty, as what is in them differs from run to run.
RUN mkdir /empty \
  && DENO_DIR=/elsewhere deno eval "import { DatabaseSync } from 'node:sqlite'; \
    for (const { name } of Deno.readDirSync('/deno')) { \
      if (!name.endsWith('_v2')) continue; \
      const [full, empty] = ['/deno/', '/empty/'].map((path) => new DatabaseSync(path + name)); \
      const tables = full.prepare('SELECT sql FROM sqlite_master WHERE name NOT LIKE ? ORDER BY name'); \
      for (const { sql } of tables.all('sqlite%')) empty.exec(sql); \
      const insert = empty.prepare('INSERT INTO info VALUES (?, ?)'); \
      for (const { key, value } of full.prepare('SELECT * FROM info ORDER BY key').all()) \
        insert.run(key, value); \
    }" \
  && mv /deno/gen /empty/gen

FROM ${BASE}

COPY --from=prepared /tools/bin/ /usr/local/bin/
COPY --from=prepared /app/node_modules/ /app/node_modules/
COPY --from=prepared /empty/ /deno/
COPY app/ /app/

WORKDIR /app
# ONNX Runtime 1.29 reports to its makers unless it is told not to, and native code is beyond Deno's
# permissions.
ENV DENO_DIR=/deno DENO_NO_UPDATE_CHECK=1 LANG=C.UTF-8 ORT_DISABLE_TELEMETRY=1
# A number, so that Kubernetes can tell that it is not root. Any other user will do as well.
USER 10001:10001
VOLUME ["/app/outputs"]
HEALTHCHECK --interval=30m --timeout=10m --retries=1 CMD ["deno", "task", "--quiet", "--cwd", "/app", "test"]
# From whatever folder it is started in: not every runtime begins in WORKDIR.
ENTRYPOINT ["tini", "--", "deno", "task", "--quiet", "--cwd", "/app"]
CMD ["test"]
