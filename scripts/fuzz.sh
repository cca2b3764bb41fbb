#!/usr/bin/env bash
# Fuzzes every parser of foreign bytes, or those named: scripts/fuzz.sh [SECONDS] [TARGET]... (default: FUZZ_SECONDS, or 600)
#
# Prints executions, covered edges and crashes of each; exits 1 on a crash, whose input lies under fuzz/artifacts.
# Seeds come from fuzz/seeds and from ../shared/corpora (or $AUX_CORPORA); without those, from examples.
# Runs on the stable toolchain: cargo-fuzz is built once into target/peers, and RUSTC_BOOTSTRAP=1 lets it pass the
# flags of the coverage instrumentation. No sanitizer is linked (-s none), because the code under test is safe Rust.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.13.1
seconds=${FUZZ_SECONDS:-600}
if [[ ${1:-} =~ ^[0-9]+$ ]]; then seconds=$1; shift; fi
fuzz=target/peers/bin/cargo-fuzz
export RUSTC_BOOTSTRAP=1

if [[ "$("$fuzz" --version 2>/dev/null)" != "cargo-fuzz $version" ]]; then
  echo "fuzz: installing cargo-fuzz $version into target/peers" >&2
  cargo install cargo-fuzz --version "$version" --locked --root target/peers
fi

corpora=../shared/corpora
[[ -d $corpora ]] || corpora=${AUX_CORPORA:-$corpora}

# Copies files of at most 32 KiB into a target's corpus, named by their content so that none stands twice.
seed() {
  local target=$1 file sum
  shift
  mkdir -p "fuzz/corpus/$target"
  for file in "$@"; do
    [[ -f $file && $(wc -c <"$file") -le 32768 ]] || continue
    sum=$(cksum <"$file")
    cp "$file" "fuzz/corpus/$target/seed-${sum// /-}"
  done
}

# Seeds from the repository, then from the real corpora where they are, then from the examples.
seed_all() {
  local folder work
  for folder in fuzz/seeds/*/; do seed "$(basename "$folder")" "$folder"*; done
  seed index crates/advisory/tests/vectors/*.auxdb
  seed details crates/advisory/tests/vectors/*.auxdetails
  if [[ -d $corpora ]]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' RETURN
    for archive in "$corpora"/nix/*.drvs.tar.zst; do zstd -qdc "$archive" | tar -x -C "$work"; done
    mapfile -t files < <(find "$work" -name '*.drv' -size -8k | sort | awk 'NR % 9 == 0')
    seed derivation "${files[@]}"
    for archive in "$corpora"/osv/*.tar.zst "$corpora"/cve5/*.tar.zst; do
      zstd -qdc "$archive" | tar -x -C "$work"
    done
    mapfile -t files < <(find "$work" -name 'BIT-*.json' | sort | awk 'NR % 40 == 0')
    seed osv "${files[@]}"
    mapfile -t files < <(find "$work" -name 'CVE-*.json' | sort | awk 'NR % 4 == 0')
    seed cve5 "${files[@]}"
  elif [[ -d examples ]]; then
    mapfile -t files < <(find examples -name '*.drv' | sort)
    seed derivation "${files[@]}"
  fi
}

# What libFuzzer said in a log: executions, edges covered, and how the run ended.
row() {
  local target=$1 log=$2 code=$3
  awk -v target="$target" -v code="$code" '
    /^#[0-9]+/ { runs = substr($1, 2) }
    { for (i = 1; i < NF; i++) if ($i == "cov:") edges = $(i + 1) }
    /^Done [0-9]+ runs/ { runs = $2 }
    END { printf "%-18s %12d %8d   %s\n", target, runs, edges, code == 0 ? "none" : "CRASH" }' "$log"
}

seed_all
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <("$fuzz" fuzz list --fuzz-dir fuzz)
"$fuzz" fuzz build --fuzz-dir fuzz -s none
binaries=fuzz/target/$(rustc -vV | sed -n 's/^host: //p')/release

table=$(printf '%-18s %12s %8s   %s' target executions edges crashes)
crashed=0
mkdir -p target/fuzz-logs
for target in "${targets[@]}"; do
  echo "fuzz: $target for $seconds s" >&2
  mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target"
  log=target/fuzz-logs/$target.log
  code=0
  "$binaries/$target" -max_total_time="$seconds" -max_len=32768 -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="fuzz/artifacts/$target/" "fuzz/corpus/$target" >"$log" 2>&1 || code=$?
  if [[ $code -ne 0 ]]; then
    crashed=1
    grep -E 'panicked at|ERROR: libFuzzer|Test unit written|^assertion|left:|right:' "$log" >&2 || tail -20 "$log" >&2
  fi
  table+=$'\n'$(row "$target" "$log" "$code")
done
printf '%s\n' "$table"
exit "$crashed"
