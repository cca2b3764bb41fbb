#!/usr/bin/env bash
# Runs every test: with cargo-nextest where it is installed, with cargo's own runner where it is not.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if cargo nextest --version >/dev/null 2>&1; then
    # nextest runs no documentation tests.
    cargo test --workspace --doc --quiet
    exec cargo nextest run --workspace --no-fail-fast
fi
exec cargo test --workspace --no-fail-fast
