#!/usr/bin/env bash
# Compares the cache server with nginx over static files, with harmonia where HARMONIA names its program, and with atticd
# where ATTIC names the folder of its programs: one store, one load, in turn in one run. scripts/bench-cache.sh [COUNT] (default 300 paths of installed Debian packages)
#
# Shown: narinfo answers a second (hits and misses, 64 connections), NAR megabytes a second (1, 4, 16 connections), a whole
# closure by a real nix client, pushes, bytes kept, and the server's largest resident set. BENCH_SECONDS (default 10) is how
# long each load lasts; AUX, AUX_SERVER name the programs (release builds otherwise); BENCH_STORE keeps the store between
# runs. Needs Debian's nginx-light, nix-bin, sqlite3, wrk and zstd.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
count=${1:-300}
seconds=${BENCH_SECONDS:-10}
# shellcheck source=scripts/bench/cache.sh
source "$root/scripts/bench/cache.sh"
needs bench-cache nginx nix sqlite3 wrk zstd
begin cache-bench

store_of "$count"
sqlite3 "$store/nix/var/nix/db/db.sqlite" 'select path from ValidPaths order by path' >"$work/paths"
mapfile -t paths <"$work/paths"
nar_bytes=$(sqlite3 "$store/nix/var/nix/db/db.sqlite" 'select sum(narSize) from ValidPaths')
cut -c12-43 "$work/paths" >"$work/hashes"
printf '%d paths, %d MB of NAR\n' "${#paths[@]}" $((nar_bytes / 1000000))

now() { date +%s.%N; }
since() { awk -v start="$1" -v end="$(now)" 'BEGIN { printf "%.2f", end - start }'; }
peak_mb() { awk '/VmHWM/ { printf "%d", $2 / 1024 }' "/proc/$1/status"; }
# Requests a second and megabytes a second of wrk, over the URLs in a file, one after the other.
cat >"$work/load.lua" <<'LUA'
local urls, at = {}, 0
for line in io.lines(os.getenv("URLS")) do urls[#urls + 1] = line end
function request() at = at % #urls + 1; return wrk.format("GET", urls[at]) end
function done(summary, latency, requests)
    local seconds = summary.duration / 1e6
    local errors = summary.errors.connect + summary.errors.read + summary.errors.timeout
    io.write(string.format("%.0f %.0f %d %d\n", summary.requests / seconds, summary.bytes / seconds / 1e6, errors, summary.errors.status))
end
LUA
load() { # connections, file of URLs, port
    local threads=$(($1 < 2 ? 1 : 2))
    URLS=$2 wrk --threads "$threads" --connections "$1" --duration "${seconds}s" --timeout 30s --script "$work/load.lua" \
        "http://127.0.0.1:$3" | tail -1
}

# measure NAME PORT PREFIX PID: the loads.
measure() {
    local name=$1 port=$2 prefix=$3 pid=$4
    clients+=("$name http://127.0.0.1:$port$prefix")
    sed "s|.*|$prefix/&.narinfo|" "$work/hashes" >"$work/hits"
    sed "s|^.\{8\}|00000000|; s|.*|$prefix/&.narinfo|" "$work/hashes" >"$work/misses"
    : >"$work/nars"
    while read -r hash; do
        echo "$prefix/$(curl --fail --silent "http://127.0.0.1:$port$prefix/$hash.narinfo" | sed -n 's/^URL: //p')"
    done <"$work/hashes" >"$work/nars"
    local hits misses one four sixteen
    hits=$(load 64 "$work/hits" "$port")
    misses=$(load 64 "$work/misses" "$port")
    one=$(load 1 "$work/nars" "$port")
    four=$(load 4 "$work/nars" "$port")
    sixteen=$(load 16 "$work/nars" "$port")
    printf '%-12s%9s%9s%9s%9s%9s%8s MB\n' "$name" "${hits%% *}" "${misses%% *}" "$(cut -d' ' -f2 <<<"$one")" \
        "$(cut -d' ' -f2 <<<"$four")" "$(cut -d' ' -f2 <<<"$sixteen")" "$(peak_mb "$pid")"
    for said in "$hits" "$one" "$four" "$sixteen"; do
        [[ $said == *" 0 0" ]] || echo "bench-cache: $name: errors under load: $said" >&2
    done
}
clients=()

# nginx over what Nix itself writes.
start=$(now)
nix copy --quiet --from "local?root=$store" --to "file://$work/static?compression=zstd" --no-check-sigs "${paths[@]}"
static_seconds=$(since "$start")
cat >"$work/nginx.conf" <<EOF
daemon off; pid $work/nginx.pid; error_log $work/nginx.log; worker_processes 2;
events { worker_connections 1024; }
http { access_log off; sendfile on; keepalive_requests 1000000; client_body_temp_path $work/body; proxy_temp_path $work/proxy;
fastcgi_temp_path $work/fastcgi; uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
server { listen 127.0.0.1:8471; root $work/static; } }
EOF
chmod 755 "$work" # its workers are another user
nginx -c "$work/nginx.conf" &
nginx_pid=$!
started+=("$nginx_pid")
until_answers 8471

# The server, pushed to by its own client.
"$server" --data "$work/data" --listen 127.0.0.1:8472 --log error --json >"$work/serving" &
server_pid=$!
started+=("$server_pid")
until_answers 8472
access=(--server http://127.0.0.1:8472 --token-file "$work/data/admin-token")
"$aux" cache create bench --anonymous --signs "${access[@]}" >/dev/null
read -ra before <"/proc/$server_pid/stat"
TIMEFORMAT='%R %U %S'
{ time "$aux" cache push --quiet --root "$store" --to bench "${access[@]}" "${paths[@]}" >/dev/null; } 2>"$work/push"
read -ra after <"/proc/$server_pid/stat"
read -r push_seconds push_user push_system <"$work/push"
server_seconds=$(awk -v ticks=$((after[13] + after[14] - before[13] - before[14])) -v rate="$(getconf CLK_TCK)" 'BEGIN { printf "%.1f", ticks / rate }')

printf '%-12s%9s%9s%9s%9s%9s%11s\n' "" "hits/s" "misses/s" "1: MB/s" "4: MB/s" "16: MB/s" "peak"
measure nginx 8471 "" "$nginx_pid"
measure aux-server 8472 /bench "$server_pid"

if [[ -n ${HARMONIA:-} ]]; then
    cat >"$work/harmonia.toml" <<EOF
bind = "127.0.0.1:8473"
workers = 4
virtual_nix_store = "/nix/store"
real_nix_store = "$store/nix/store"
nix_db_path = "$store/nix/var/nix/db/db.sqlite"
EOF
    CONFIG_FILE=$work/harmonia.toml RUST_LOG=error "$HARMONIA" &
    harmonia_pid=$!
    started+=("$harmonia_pid")
    until_answers 8473
    measure harmonia 8473 "" "$harmonia_pid"
fi

if [[ -n ${ATTIC:-} ]]; then
    # shellcheck source=scripts/bench/attic.sh
    source "$root/scripts/bench/attic.sh"
    attic_start "$work/attic" 8474
    started+=("$attic_pid")
    until_answers 8474
    "$root/scripts/bench/attic-push.py" http://127.0.0.1:8474 "$attic_token" bench "$store" >/dev/null
    measure atticd 8474 /bench "$attic_pid"
fi

# A closure as a new machine takes it, in turn, into memory: a disk that still writes the copy before decides otherwise.
memory=$(mktemp -d /dev/shm/aux-cache-bench.XXXXXX)
trap 'kill "${started[@]}" 2>/dev/null || true; wait; chmod -R u+w "$work" "$memory"; rm -rf "$work" "$memory"' EXIT
for round in 1 2 3; do
    for client in "${clients[@]}"; do
        read -r name url <<<"$client"
        rm -rf "$HOME/.cache"
        sync
        start=$(now)
        nix copy --quiet --from "$url" --to "local?root=$memory/$name" --no-check-sigs "${paths[@]}"
        printf 'closure by nix copy, round %d: %-12s%9s s\n' "$round" "$name" "$(since "$start")"
        chmod -R u+w "$memory/$name"
        rm -rf "${memory:?}/$name"
    done
done

# What a push cannot be faster than: its hash and its compression, by their own programs, one thread each.
limit() { # program...
    local start
    start=$(now)
    for path in "${paths[@]}"; do nix-store --dump "$store$path"; done | "$@" >/dev/null
    since "$start"
}
dump=$(limit cat) hash=$(limit sha256sum) pack=$(limit zstd -3 -T1 -q)
awk -v bytes="$nar_bytes" -v wall="$push_seconds" -v spent="$(awk "BEGIN { print $push_user + $push_system }")" -v server="$server_seconds" \
    -v dump="$dump" -v hash="$hash" -v pack="$pack" -v static="$static_seconds" 'BEGIN {
    mb = bytes / 1e6
    printf "push: %.1f s, %.0f MB/s; processor %.1f s of the client and %.1f of the server: %.0f MB a processor second\n",
        wall, mb / wall, spent, server, mb / (spent + server)
    printf "nix copy --to file: %.1f s; nix-store --dump %.1f s, with sha256sum %.1f, with zstd -3 %.1f\n", static, dump, hash, pack
}'
printf 'kept: nginx %s MB, aux-server %s MB\n' "$(du -sm "$work/static" | cut -f1)" "$(du -sm "$work/data" | cut -f1)"
