#!/usr/bin/env bash
# What `aux cache push` costs, beside the least that it could: the same bytes hashed, cut into chunks, hashed again and packed by
# one thread (the example push_limit), before and after each push into an empty cache. Files are read once before, so that no
# disk is measured. scripts/bench-push.sh [COUNT [ROUNDS]] (default 300 paths, 5 rounds)
#
# AUX, AUX_SERVER, PUSH_LIMIT name the programs (release builds otherwise); BENCH_STORE is a store that
# scripts/bench/debian-store.sh filled. Needs Debian's nix-bin and sqlite3.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
count=${1:-300}
rounds=${2:-5}
# shellcheck source=scripts/bench/cache.sh
source "$root/scripts/bench/cache.sh"
needs bench-push nix-store sqlite3
begin push-bench
store_of "$count"
limit=${PUSH_LIMIT:-$root/target/release/examples/push_limit}
if [[ -z ${PUSH_LIMIT:-} ]]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml" --package aux-cache --example push_limit
fi

mapfile -t list < <(sqlite3 "$store/nix/var/nix/db/db.sqlite" 'select path from ValidPaths order by path')
mb=$(sqlite3 "$store/nix/var/nix/db/db.sqlite" 'select sum(narSize) / 1e6 from ValidPaths')
best() { "$limit" "$store"/nix/store/* | awk '/^together/ { print $2 }'; }

printf '%d paths, %.0f MB of NAR; MB a processor second\n' "${#list[@]}" "$mb"
TIMEFORMAT='%R %U %S'
ratios=()
for ((round = 1; round <= rounds; round++)); do
    rm -rf "$work/data"
    "$server" --data "$work/data" --listen 127.0.0.1:8482 --log error --json >"$work/serving" &
    server_pid=$!
    started=("$server_pid")
    until_answers 8482
    access=(--server http://127.0.0.1:8482 --token-file "$work/data/admin-token")
    "$aux" cache create bench --anonymous --signs "${access[@]}" >/dev/null
    find "$store/nix/store" -type f -exec cat {} + >/dev/null
    before=$(best)
    { time "$aux" cache push --quiet --root "$store" --to bench "${access[@]}" "${list[@]}" >/dev/null; } 2>"$work/push"
    after=$(best)
    read -r wall user system <"$work/push"
    kill "$server_pid"
    wait "$server_pid" || true
    ratios+=("$(awk -v mb="$mb" -v wall="$wall" -v spent="$(awk "BEGIN { print $user + $system }")" -v before="$before" -v after="$after" 'BEGIN {
        push = mb / spent; best = (before + after) / 2
        printf "%.2f  at best %.0f and %.0f, push %.0f (%.1f s)\n", push / best, before, after, push, wall }')")
    printf '  %s\n' "${ratios[-1]}"
done
printf 'of the limit, the middle of %d: %s\n' "$rounds" \
    "$(printf '%s\n' "${ratios[@]}" | sort -n | awk '{ at[NR] = $1 } END { print at[int((NR + 1) / 2)] }')"
