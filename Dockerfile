# The server without a database: DATABASE_URL names a PostgreSQL 15 or newer, such as the one in docker-compose.yml.

FROM node:22-bookworm-slim AS web
WORKDIR /build/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

# The same Debian as below, so that the program finds the C library that it was linked with.
FROM rust:1.95-bookworm AS server
WORKDIR /build
COPY . .
COPY --from=web /build/web/dist web/dist
RUN cargo build --profile dist --locked -p regalia-server

FROM debian:bookworm-slim
# A fixed number, because files on a volume keep it; a name, because programs ask for one.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates tini \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 regalia \
    && useradd --system --uid 10001 --gid regalia --home-dir /var/lib/regalia --no-create-home --shell /usr/sbin/nologin regalia \
    && install -d -o regalia -g regalia -m 0700 /var/lib/regalia
COPY LICENSE /usr/share/doc/regalia/copyright
COPY --from=server /build/target/dist/regalia /usr/local/bin/regalia

ENV REGALIA_DATA_DIR=/var/lib/regalia \
    REGALIA_LISTEN=0.0.0.0:8080
USER regalia
WORKDIR /var/lib/regalia
# Files and the administrator's key. A new volume takes the owner from the directory above.
VOLUME /var/lib/regalia
EXPOSE 8080

# By bash itself, so that the image needs no HTTP client.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /health HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]

# An init as PID 1 hands signals on and reaps what a health check leaves.
ENTRYPOINT ["tini", "--", "regalia"]
CMD ["serve"]
