#!/usr/bin/env bash
# Tries the cache server with the Nix of other Debians (2.26 of trixie, 2.34 of sid), which it installs by itself:
# scripts/test-nix.sh [SUITE]... Needs root, mmdebstrap and Debian's mirror. NIX_ROOTS says where the Debians are kept.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/.."
# shellcheck source-path=SCRIPTDIR source=nix-roots.sh
source "$here/nix-roots.sh"
roots=${NIX_ROOTS:-/var/tmp/aux-nix-roots}
suites=("$@")
((${#suites[@]})) || suites=(trixie sid)

for program in mmdebstrap unshare curl jq; do
    command -v "$program" >/dev/null || {
        echo "test-nix: $program is missing; apt-get install mmdebstrap util-linux curl jq" >&2
        exit 1
    }
done
cargo build --quiet --package aux-cli --package aux-server

folder=$(mktemp -d)
server=
finish() {
    [[ -z $server ]] || kill "$server" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
mkdir -p "$folder/content-addressed/sub"
echo "by its content" >"$folder/content-addressed/sub/file"
cp target/debug/aux "$here/nix-trial.sh" "$folder/"

target/debug/aux-server --data "$folder/data" --listen 127.0.0.1:0 --json >"$folder/serving" 2>"$folder/log" &
server=$!
for _ in $(seq 100); do
    [[ -s $folder/serving ]] && break
    kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
    read -rt 0.1 <> <(:) || true
done
listen=$(jq -r .listen "$folder/serving")
key=$(jq -r .public_key "$folder/serving")
cp "$(jq -r .admin_token_file "$folder/serving")" "$folder/admin-token"

for suite in "${suites[@]}"; do
    nix_root "$suite" "$roots"
    echo "test-nix: $suite, $(in_nix_root "$roots/$suite" "$folder" /trial nix --version)"
    in_nix_root "$roots/$suite" "$folder" /trial /trial/nix-trial.sh "http://$listen" "$key" /trial || {
        echo "test-nix: $suite failed; the server said:" >&2
        tail -20 "$folder/log" >&2
        exit 1
    }
done
"$folder/aux" cache fsck --server "http://$listen" --token-file "$folder/admin-token"
