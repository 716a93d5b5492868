# What everybody runs. `make run` starts the product, `make test` passes all its tests; what they need, they install (on
# Debian, as root) or name in one line.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build demo-data web needs-of-run needs-of-build test test-full check sqlx schema

help:
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

run: needs-of-run web ## build and start the server on http://127.0.0.1:8080
	cargo build --release --locked -p regalia-server
	exec target/release/regalia serve

build: needs-of-build web ## build the server (target/release/regalia)
	cargo build --release --locked -p regalia-server

# Sizes: make demo-data REGISTRIES=20 COLLECTIONS=100 VERSIONS=2000. DATABASE_URL and REGALIA_DATA_DIR are those of the server.
REGISTRIES ?= 200
COLLECTIONS ?= 10000
VERSIONS ?= 200000

demo-data: build ## load demo data into the database of the server that is running
	target/release/regalia demo-data --registries $(REGISTRIES) --collections $(COLLECTIONS) --versions $(VERSIONS)

# First of all and together, so that whoever isn't root is told one line.
needs-of-run:
	@scripts/need.sh compiler postgres node

needs-of-build:
	@scripts/need.sh compiler node

web: web/dist/graphiql/index.html ## build GraphiQL from its npm package

web/dist/graphiql/index.html: web/package.json web/package-lock.json web/build.mjs $(wildcard web/graphiql/*)
	@scripts/need.sh node
	cd web && npm ci --no-audit --no-fund && npm run build
	@touch $@

test: ## all tests, the newest SDK on all contents, the others on one file
	scripts/test.sh

test-full: ## everything: all SDKs on all contents, 2 GiB files, 20 kills of each kind, races of 20 to 200 rounds, the figures
	REGALIA_TEST_FULL=1 scripts/test.sh

check: ## format, clippy, generated files
	scripts/check.sh

sqlx: ## rewrite .sqlx from the statements, on a PostgreSQL of its own
	scripts/with-postgres.sh scripts/sqlx.sh .sqlx

schema: ## rewrite schema.graphql
	cargo run --quiet --locked -p regalia-server -- schema >schema.graphql.new
	mv schema.graphql.new schema.graphql
