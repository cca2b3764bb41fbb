#!/usr/bin/env bash
# Times whole processes, cold start to exit, on the real corpora beside the repository, with an empty HOME and cache.
#
# BENCH_RUNS (default 10) runs of each; shown are the quickest, the median, the median of processor time over all
# threads, and the largest resident set. The larger feeds are copies of NVD under other names, kept in target/bench.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
runs=${BENCH_RUNS:-10}
corpora=${AUX_CORPORA:-$root/../shared/corpora}
if [[ ! -d $corpora/nvd ]]; then
    echo "bench: no corpora beside the repository (../shared/corpora)" >&2
    exit 2
fi

cargo build --release --quiet --manifest-path "$root/Cargo.toml" --package aux-cli
aux=$root/target/release/aux
work=$(mktemp -d "${TMPDIR:-/tmp}/aux-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/home" "$work/graph"
kept=$root/target/bench
mkdir -p "$kept"
tar --extract --zstd --file "$corpora/nix/nixos-17.03-system.drvs.tar.zst" --directory "$work/graph"
feed=$work/feed.auxdb

# Python's rusage counts one child at a time; a shell's own clock would add the shell.
measure='
import os, statistics, subprocess, sys, time
label, runs, home, command = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
times, processor, peak = [], [], 0
for _ in range(runs):
    start = time.perf_counter()
    child = subprocess.Popen(command, env={"HOME": home, "PATH": os.environ["PATH"]},
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    times.append((time.perf_counter() - start) * 1000)
    processor.append((usage.ru_utime + usage.ru_stime) * 1000)
    peak = max(peak, usage.ru_maxrss)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1):
        sys.exit(f"bench: {label}: exit {code}: {command}")
wall, spent = statistics.median(times), statistics.median(processor)
print(f"{label:<44}{min(times):>9.1f}{wall:>9.1f}{spent:>9.1f}{peak / 1024:>9.1f}")
'
time_it() { # label, runs, command...
    python3 -c "$measure" "$1" "$2" "$work/home" "${@:3}"
}

printf '%-44s%9s%9s%9s%9s\n' "" "best ms" "median" "CPU ms" "peak MB"
compile_runs=$((runs < 3 ? runs : 3))
time_it "compile all of NVD" "$compile_runs" \
    "$aux" feed build --nvd "$corpora/nvd" --triage "$root/triage" --output "$feed"
time_it "audit NixOS 17.03, folder of .drv" "$runs" "$aux" audit "$work/graph" --feed "$feed" --json
time_it "audit NixOS 17.03, .drvs.tar.zst" "$runs" \
    "$aux" audit "$corpora/nix/nixos-17.03-system.drvs.tar.zst" --feed "$feed" --json

for copies in 2 4; do
    nvd=("$corpora/nvd")
    for ((copy = 1; copy < copies; copy++)); do
        if [[ ! -d $kept/nvd-$copy ]]; then
            python3 "$root/scripts/bench/more_feeds.py" "$corpora/nvd" "$kept/nvd-$copy.part" "$copy"
            mv "$kept/nvd-$copy.part" "$kept/nvd-$copy"
        fi
        nvd+=("$kept/nvd-$copy")
    done
    large=$work/feed-$copies.auxdb
    time_it "compile $copies times NVD" 1 "$aux" feed build --nvd "${nvd[@]}" --triage "$root/triage" --output "$large"
    time_it "the same audit, $copies times the feed" "$runs" "$aux" audit "$work/graph" --feed "$large" --json
    rm "$large"
done
for copies in 2 4; do
    python3 "$root/scripts/bench/more_derivations.py" "$work/graph/nix/store" "$work/graph-$copies" "$copies"
    time_it "the same audit, $copies times the components" "$runs" "$aux" audit "$work/graph-$copies" --feed "$feed" --json
done

printf '%-44s%9s bytes\n' "index" "$(stat --format %s "$feed")"
printf '%-44s%9s bytes\n' "index, zstd -19" "$(zstd --quiet --stdout -19 "$feed" | wc -c)"
