#!/usr/bin/env bash
# Fuzzes every target of fuzz/, FUZZ_SECONDS each (default 60), or the targets named as arguments.
#
# cargo-fuzz wants a nightly compiler; RUSTC_BOOTSTRAP=1 lets the pinned stable one take its flags.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${FUZZ_SECONDS:-60}
if [[ ! -f fuzz/Cargo.toml ]]; then
    echo "fuzz: there is no fuzz/ yet" >&2
    exit 2
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "fuzz: cargo-fuzz is missing; cargo install cargo-fuzz would bring it" >&2
    exit 2
fi
export RUSTC_BOOTSTRAP=1
if (($#)); then targets=("$@"); else mapfile -t targets < <(cargo fuzz list); fi
for target in "${targets[@]}"; do
    echo "fuzz: $target, $seconds seconds"
    cargo fuzz run "$target" -- -max_total_time="$seconds" -print_final_stats=1
done
