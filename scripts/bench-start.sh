#!/usr/bin/env bash
# How long the cache server takes to start with very many paths, and what memory: scripts/bench-start.sh [COUNT [PROMOTED]]
# (default a million, none of them promoted). It starts three times; the first reads the file from the disk.
#
# AUX_SERVER names the program (a release build otherwise); BENCH_DATA keeps the data folder between runs. Needs python3.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
count=${1:-1000000}
promoted=${2:-0}
if [[ -z ${AUX_SERVER:-} ]]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml" --package aux-server
fi
server=${AUX_SERVER:-$root/target/release/aux-server}
work=$(mktemp -d "${TMPDIR:-/tmp}/aux-start-bench.XXXXXX")
data=${BENCH_DATA:-$work/data}
process=
trap '[[ -z $process ]] || kill "$process" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
options=(--data "$data" --listen 127.0.0.1:0 --json --log error)

# start: until it says that it serves; the line it says is left in $serving.
start() {
    exec 3< <(exec "$server" "${options[@]}")
    process=$!
    read -r serving <&3
}
end() {
    kill "$process"
    wait "$process" || true
    process=
}

if [[ ! -e $data/cache.sqlite ]]; then
    start
    end
    "$root/scripts/bench/many-paths.py" "$data" "$count" "$promoted"
fi
for run in 1 2 3; do
    began=$(date +%s%N)
    start
    took=$((($(date +%s%N) - began) / 1000000))
    ticks=$(awk '{ print ($14 + $15) * 10 }' "/proc/$process/stat")
    memory=$(awk '/VmHWM/ { printf "%d", $2 * 1024 / 1000000 }' "/proc/$process/status")
    printf 'start %d: %d ms (%d ms of processor time), %d MB of memory at most\n' "$run" "$took" "$ticks" "$memory"
    end
done
