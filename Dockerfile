# The image of Fairlead: Node, the production dependencies and the sources, which Node runs as they are.
#
#   docker build -t fairlead:0.1.0 .        buildah bud --format docker -t fairlead:0.1.0 .

FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The optional dependencies are Node itself, for machines that have another one.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

# Sources are compiled here and not at each start. Both programs end with an error, because nobody tells them what to do. What is
# compiled under other flags than those of workers, or by another user, would not be taken.
FROM dependencies AS compiled
ENV NODE_COMPILE_CACHE=/app/compiled
COPY certs certs
COPY proxy proxy
COPY controller controller
RUN mkdir -m 777 compiled
USER 65532:65532
RUN node controller/cli.ts check /nothing; \
  node -e "import('./controller/publish/worker-process.ts').then(({ V8_FLAGS }) => require('node:child_process').spawnSync('node', [...V8_FLAGS, 'proxy/worker.ts']))"
USER 0:0
RUN test -n "$(ls compiled)" && chown -R 0:0 compiled && chmod -R a+rX,go-w compiled

FROM node:26-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY certs certs
COPY proxy proxy
COPY controller controller
ENV NODE_COMPILE_CACHE=/app/compiled
COPY --from=compiled /app/compiled compiled
# By number, so that Kubernetes can see that it is not root (runAsNonRoot). Nothing in the image belongs to it.
USER 65532:65532
EXPOSE 8080 8443 10254
# Fairlead says that it is not ready, ends what is open, and exits with 0.
STOPSIGNAL SIGTERM
# For runtimes without probes of their own. Kubernetes asks /healthz and /readyz itself.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:10254/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "controller/cli.ts", "run"]
