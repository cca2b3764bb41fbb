#!/usr/bin/env bash
# The long forms: every test ten times over with 500 kills in each storm, a thousand clients at one server for ten minutes, the benchmarks with
# more runs, every fuzz target for an hour.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The crowd has threads and sockets by the thousand.
ulimit -n "$(ulimit -Hn)"
rounds=${SOAK_ROUNDS:-10}
export AUX_KILLS=${AUX_KILLS:-500}
for ((round = 1; round <= rounds; round++)); do
    echo "soak: tests, round $round of $rounds"
    "$here/tests.sh"
done
echo "soak: a thousand clients for ten minutes"
AUX_CLIENTS=${AUX_CLIENTS:-1000} AUX_CLIENT_SECONDS=${AUX_CLIENT_SECONDS:-600} \
    cargo nextest run -p aux-server -E 'test(a_crowd_of_clients)' --no-capture
BENCH_RUNS=${BENCH_RUNS:-50} "$here/bench.sh"
"$here/fuzz.sh" "${FUZZ_SECONDS:-3600}"
