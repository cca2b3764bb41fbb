#!/usr/bin/env bash
# Pushes two close closures, one after the other, to the cache server, and to atticd where ATTIC names the folder of its
# programs: how many bytes each keeps, and what a push takes. Files are read once before each push, so that no disk is measured.
# scripts/bench-close.sh [COUNT] (default 300 paths)
#
# AUX, AUX_SERVER name the programs (release builds otherwise); BENCH_STORE is a store that scripts/bench/debian-store.sh
# filled, BENCH_CLOSE a folder that keeps the two made of it. Needs Debian's nix-bin, openssl and sqlite3.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
count=${1:-300}
# shellcheck source=scripts/bench/cache.sh
source "$root/scripts/bench/cache.sh"
needs bench-close nix-store openssl python3 sqlite3
begin close-bench

store_of "$count"
close=${BENCH_CLOSE:-$work/close}
if [[ ! -d $close/second/nix/var ]]; then
    mkdir -p "$close"
    "$root/scripts/bench/close-stores.py" "$store" "$close/first" "$close/second" | tee "$close/made"
else
    cat "$close/made"
fi

# Processor seconds of a process until now.
spent() { awk -v rate="$(getconf CLK_TCK)" '{ printf "%.2f", ($14 + $15) / rate }' "/proc/$1/stat"; }
megabytes() { du --summarize --bytes "$1" | awk '{ printf "%.1f", $1 / 1e6 }'; }
paths() { sqlite3 "$1/nix/var/nix/db/db.sqlite" 'select path from ValidPaths order by path'; }
nar_mb() { sqlite3 "$1/nix/var/nix/db/db.sqlite" 'select sum(narSize) / 1e6 from ValidPaths'; }

"$server" --data "$work/data" --listen 127.0.0.1:8482 --log error --json >"$work/serving" &
server_pid=$!
started+=("$server_pid")
until_answers 8482
access=(--server http://127.0.0.1:8482 --token-file "$work/data/admin-token")
"$aux" cache create bench --anonymous --signs "${access[@]}" >/dev/null
if [[ -n ${ATTIC:-} ]]; then
    # shellcheck source=scripts/bench/attic.sh
    source "$root/scripts/bench/attic.sh"
    attic_start "$work/attic" 8483
    started+=("$attic_pid")
    until_answers 8483
fi

# Reads a store into memory.
warm() { find "$1/nix/store" -type f -exec cat {} + >/dev/null; }

TIMEFORMAT='%R %U %S'
report() { # name, megabytes of NAR, seconds, client's processor, server's processor, folder
    awk -v name="$1" -v mb="$2" -v wall="$3" -v client="$4" -v server="$5" -v kept="$6" 'BEGIN {
        said = client == "-" ? "" : sprintf("; its client %.1f s: %.0f; both %.0f", client, mb / client, mb / (server + client))
        printf "  %-12s%7.1f s, %4.0f MB/s; the server %.1f s: %.0f MB a processor second%s; keeps %s MB\n",
            name, wall, mb / wall, server, mb / server, said, kept }'
}
for closure in first second; do
    mb=$(nar_mb "$close/$closure")
    printf '%s closure, %.0f MB of NAR\n' "$closure" "$mb"
    mapfile -t list < <(paths "$close/$closure")
    warm "$close/$closure"
    before=$(spent "$server_pid")
    { time "$aux" cache push --quiet --root "$close/$closure" --to bench "${access[@]}" "${list[@]}" >/dev/null; } 2>"$work/push"
    read -r wall user system <"$work/push"
    took=$(awk "BEGIN { print $(spent "$server_pid") - $before }")
    report aux-server "$mb" "$wall" "$(awk "BEGIN { print $user + $system }")" "$took" "$(megabytes "$work/data")"
    if [[ -n ${ATTIC:-} ]]; then
        warm "$close/$closure"
        before=$(spent "$attic_pid")
        { time "$root/scripts/bench/attic-push.py" http://127.0.0.1:8483 "$attic_token" bench "$close/$closure" >/dev/null; } 2>"$work/push"
        read -r wall _ _ <"$work/push"
        took=$(awk "BEGIN { print $(spent "$attic_pid") - $before }")
        report atticd "$mb" "$wall" - "$took" "$(megabytes "$work/attic")"
    fi
done
