# RAD Monitor. `make` lists what can be done here; underneath it is cargo, cargo-leptos and Playwright.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run dev build test bench lint format clean

# The project's own tools first; rustup's last, for a shell that does not have them yet.
export PATH := $(CURDIR)/.tools/bin:$(PATH):$(HOME)/.cargo/bin

# One invocation for all crates, so that cargo resolves features once and compiles every dependency once. Without
# the examples in the documentation: they are linked in another way, for which cargo compiles everything anew.
PACKAGES := -p rad-model -p rad-resilience -p app -p server --features app/ssr
# Cargo's profile, directory and flags for the browser are those of cargo-leptos (--split: a file for each page): what
# one has compiled, the other uses.
FRONTEND := -p frontend -p app --features app/hydrate --target wasm32-unknown-unknown \
	--target-dir target/front --profile wasm-release

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building and running needs and this machine lacks
	@.make/setup build

run: setup ## Build and start with the shipped configuration (console on 8000, gateway on 8080)
	cargo leptos serve --split --release

dev: setup ## Start, and build again on every change
	cargo leptos watch --split

build: setup ## Build target/release/rad-monitor and target/site
	cargo leptos build --split --release

test: ## Run all tests: unit, integration, browser
	@.make/setup test
	cargo leptos build --split --release --frontend-only
	cargo test --release $(PACKAGES) --lib --bins --tests
	cargo test --release --doc -p rad-resilience
	cd end2end && CHROMIUM="$$(../.make/chromium)" npx playwright test

bench: ## Run the benchmarks
	@.make/bench

lint: ## Check formatting; clippy for the server and for the browser; types of the browser tests
	@.make/setup lint
	cargo fmt --check
	cargo clippy --release $(PACKAGES) --all-targets -- -D warnings
	RUSTFLAGS=-Clink-args=--emit-relocs cargo clippy $(FRONTEND) -- -D warnings
	cd end2end && npx tsc

format: ## Format the code
	@.make/setup lint
	cargo fmt

clean: ## Remove what was built; the tools in .tools stay
	cargo clean
	rm -rf end2end/test-results end2end/playwright-report
