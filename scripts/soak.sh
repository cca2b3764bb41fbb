#!/usr/bin/env bash
# The long forms: every test ten times over with 500 kills in each storm, the benchmarks with more runs, every fuzz target for an hour.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rounds=${SOAK_ROUNDS:-10}
export AUX_KILLS=${AUX_KILLS:-500}
for ((round = 1; round <= rounds; round++)); do
    echo "soak: tests, round $round of $rounds"
    "$here/tests.sh"
done
BENCH_RUNS=${BENCH_RUNS:-50} "$here/bench.sh"
"$here/fuzz.sh" "${FUZZ_SECONDS:-3600}"
