#!/usr/bin/env bash
# vulnix and aux side by side: the same store, the same NVD data, whole processes in turn; then why their findings differ.
#
# Needs Linux, Debian's nix-bin (`scripts/peers.sh` installs it), root or user namespaces, and the corpora beside the
# repository. Nothing outside target/peers changes: vulnix sees the corpus at /nix in a mount namespace of its own.
# PEER_RUNS (default 5) warm runs of each; PEER_COLD_RUNS (default 1), each about a minute of processor time.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
here=$root/scripts/vulnix
corpora=${AUX_CORPORA:-$root/../shared/corpora}
peers=$root/target/peers
venv=$peers/vulnix-venv
work=$peers/vulnix
year=$(date +%Y)
for needed in nix-store unshare python3; do
    command -v "$needed" >/dev/null || { echo "bench-peer: $needed is missing" >&2; exit 2; }
done
if [[ ! -d $corpora/nvd ]]; then
    echo "bench-peer: no corpora beside the repository (../shared/corpora, or AUX_CORPORA)" >&2
    exit 2
fi
mkdir -p "$work"

if ! cmp --silent "$here/requirements.txt" "$venv/installed.txt"; then
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/installed.txt"
fi
if [[ ! -e $work/feeds/nvdcve-1.1-$year.json.gz ]]; then
    echo "bench-peer: writing NVD's data in the older form" >&2
    rm -rf "$work/feeds" "$work/feeds.part"
    python3 "$here/older_feeds.py" "$corpora/nvd" "$work/feeds.part" "$year"
    mv "$work/feeds.part" "$work/feeds"
fi

namespace=(unshare --mount)
if ((EUID != 0)); then namespace=(unshare --user --map-root-user --mount); fi
# shellcheck disable=SC2016 # the words expand inside the namespace
inside='mount --bind "$1" /nix && shift && exec "$@"'
in_store() { "${namespace[@]}" bash -c "$inside" bash "$work/nix" "$@"; }

graph=$work/nix/store
if [[ ! -e $work/registered ]]; then
    rm -rf "$work/nix"
    tar --extract --zstd --file "$corpora/nix/nixos-17.03-system.drvs.tar.zst" --directory "$work"
    python3 "$here/registration.py" "$graph" | in_store nix-store --register-validity
    touch "$work/registered"
fi
system=$(basename "$graph"/*-nixos-system-nixos-17.03pre-git.drv)
# Nix leaves an empty folder of links in a store it has opened; aux reads the derivations alone.
derivations=$work/derivations
[[ -d $derivations ]] || { mkdir "$derivations" && cp "$graph"/*.drv "$derivations"; }

cargo build --release --quiet --manifest-path "$root/Cargo.toml" --package aux-cli
aux=$root/target/release/aux
feed=$work/feed.auxdb
server=
home=$(mktemp -d "$work/home.XXXXXX")
trap 'kill $server 2>/dev/null || true; rm -rf "$home"' EXIT
# Port 0: the system chooses one that is free, and the server says which.
(cd "$work/feeds" && exec python3 -u -m http.server --bind 127.0.0.1 0 >"$work/server.log" 2>&1) &
server=$!
until port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$work/server.log") && [[ -n $port ]]; do
    kill -0 "$server"
    read -rt 0.1 <> <(:) || true
done

clean="env -i HOME=$home PATH=$PATH LANG=C.UTF-8"
vulnix() { # entry, cache folder
    echo "$clean $venv/bin/python $1 --mirror http://127.0.0.1:$port/ --cache-dir $2 --json /nix/store/$system"
}
build="$clean $aux feed build --nvd $corpora/nvd --triage $root/triage --output $feed"
audit="$clean $aux audit $derivations --feed $feed --json"
measure() { in_store python3 "$here/measure.py" "$@"; }

own=$venv/bin/vulnix
every=$here/every_year.py
printf '%-52s%9s%9s%9s%9s\n' "" "best s" "median s" "CPU s" "peak MB"
$build >/dev/null 2>&1
for ((run = 0; run < ${PEER_COLD_RUNS:-1}; run++)); do
    rm -rf "$work/cache-six" "$work/cache-every"
    measure 1 "cold: aux feed build and audit, every year" "sh -c '$build; $audit'" \
        "cold: vulnix, every year" "$(vulnix "$every" "$work/cache-every")"
    measure 1 "cold: vulnix as it comes, six years" "$(vulnix "$own" "$work/cache-six")"
done
measure "${PEER_RUNS:-5}" "warm: aux audit, every year" "$audit" \
    "warm: vulnix, every year" "$(vulnix "$every" "$work/cache-every")"
measure "${PEER_RUNS:-5}" "warm: aux audit, every year" "$audit" \
    "warm: vulnix as it comes, six years" "$(vulnix "$own" "$work/cache-six")"

in_store sh -c "$(vulnix "$every" "$work/cache-every") >$work/vulnix.json" || [[ $? == 2 ]]
$audit >"$work/aux.json" || [[ $? == 1 ]]
python3 "$here/difference.py" "$work/vulnix.json" "$work/aux.json" "$aux" "$derivations" "$feed" "$work/feeds"
