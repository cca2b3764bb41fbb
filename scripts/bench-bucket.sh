#!/usr/bin/env bash
# NARs of the cache server in its folder and in a bucket, whole and in chunks: one store, one load, in turn in one run.
# scripts/bench-bucket.sh [COUNT] (default 300 paths of installed Debian packages)
#
# Shown: what a push takes (seconds, megabytes of NAR a second), NAR megabytes a second as they are sent (1, 4, 16 connections), the
# server's largest resident set, bytes kept. The bucket is scripts/bench/s3.py on this machine, which holds every answer back for
# BENCH_DELAY milliseconds (default 0). BENCH_SECONDS (default 5) is how long each load lasts; AUX, AUX_SERVER name the programs
# (release builds otherwise); BENCH_STORE keeps the store between runs. Needs Debian's nix-bin, sqlite3, wrk and python3.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
count=${1:-300}
seconds=${BENCH_SECONDS:-5}
delay=${BENCH_DELAY:-0}
# shellcheck source=scripts/bench/cache.sh
source "$root/scripts/bench/cache.sh"
needs bench-bucket nix sqlite3 wrk python3
begin bucket-bench

store_of "$count"
mapfile -t paths < <(sqlite3 "$store/nix/var/nix/db/db.sqlite" 'select path from ValidPaths order by path')
nar_bytes=$(sqlite3 "$store/nix/var/nix/db/db.sqlite" 'select sum(narSize) from ValidPaths')
printf '%d paths, %d MB of NAR; answers of the bucket held back %s ms\n' "${#paths[@]}" $((nar_bytes / 1000000)) "$delay"

cat >"$work/load.lua" <<'LUA'
local urls, at = {}, 0
for line in io.lines(os.getenv("URLS")) do urls[#urls + 1] = line end
function request() at = at % #urls + 1; return wrk.format("GET", urls[at]) end
function done(summary)
    local errors = summary.errors.connect + summary.errors.read + summary.errors.timeout + summary.errors.status
    io.write(string.format("%.0f %d\n", summary.bytes / summary.duration, errors))
end
LUA
load() { # connections, port: megabytes a second and errors
    URLS=$work/nars wrk --threads $(($1 < 2 ? 1 : 2)) --connections "$1" --duration "${seconds}s" --timeout 30s \
        --script "$work/load.lua" "http://127.0.0.1:$2" | tail -1
}

"$root/scripts/bench/s3.py" 8480 "$work/bucket" "$delay" &
started+=("$!")
until_answers 8480
printf '[default]\naws_access_key_id = A\naws_secret_access_key = B\n' >"$work/credentials"
chmod 600 "$work/credentials"

printf '%-18s%10s%10s%10s%10s%10s%10s%12s\n' "" "push: s" "MB/s" "1: MB/s" "4: MB/s" "16: MB/s" "peak: MB" "kept: MB"
port=8481
for keep in whole chunks; do
    for place in folder bucket; do
        options=(--data "$work/$place-$keep" --listen "127.0.0.1:$port" --keep "$keep" --log error --json)
        kept=$work/$place-$keep
        if [[ $place == bucket ]]; then
            options+=(--objects "s3://bucket/$keep" --objects-endpoint http://127.0.0.1:8480 --objects-credentials-file "$work/credentials")
            kept=$work/bucket/$keep
        fi
        "$server" "${options[@]}" >"$work/serving" &
        process=$!
        started+=("$process")
        until_answers "$port"
        access=(--server "http://127.0.0.1:$port" --token-file "$work/$place-$keep/admin-token")
        "$aux" cache create bench --anonymous "${access[@]}" >/dev/null
        TIMEFORMAT=%R
        push=$({ time "$aux" cache push --quiet --root "$store" --to bench "${access[@]}" "${paths[@]}" >/dev/null; } 2>&1)
        for path in "${paths[@]}"; do
            hash=${path:11:32}
            echo "/bench/$(curl --fail --silent "http://127.0.0.1:$port/bench/$hash.narinfo" | sed -n 's/^URL: //p')"
        done >"$work/nars"
        read -r one wrong_one < <(load 1 "$port")
        read -r four wrong_four < <(load 4 "$port")
        read -r sixteen wrong_sixteen < <(load 16 "$port")
        printf '%-18s%10s%10s%10s%10s%10s%10s%12s\n' "$place, $keep" "$push" \
            "$(awk -v bytes="$nar_bytes" -v seconds="$push" 'BEGIN { printf "%.0f", bytes / 1e6 / seconds }')" "$one" "$four" "$sixteen" \
            "$(awk '/VmHWM/ { printf "%d", $2 / 1024 }' "/proc/$process/status")" "$(du -sm "$kept" | cut -f1)"
        wrong=$((wrong_one + wrong_four + wrong_sixteen))
        ((wrong == 0)) || echo "bench-bucket: $place, $keep: $wrong errors under load" >&2
        kill "$process"
        port=$((port + 1))
    done
done
