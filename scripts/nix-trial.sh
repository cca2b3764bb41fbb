#!/usr/bin/env bash
# What an unmodified Nix does with a cache server, from the push to the substitution. Runs beside that Nix, as root, with
# the server's address, its public key and the folder of the trial: nix-trial.sh URL KEY FOLDER. The folder holds `aux`
# and `admin-token`. Says each thing that holds; stops at the first that does not.
set -euo pipefail

url=$1 key=$2 folder=$3
name=trial-$(nix --version | grep -oE '[0-9]+\.[0-9]+' | head -1 | tr . -)
server=(--server "$url" --token-file "$folder/admin-token")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work NIX_CONFIG="build-users-group =
substituters =
sandbox = false
netrc-file = $work/netrc
experimental-features = nix-command"

holds() { printf 'holds: %s\n' "$1"; }
fails() {
    printf 'FAILS: %s\n' "$1" >&2
    [[ ! -f $work/said ]] || tail -20 "$work/said" >&2
    exit 1
}
# Runs what must go well.
does() { local what=$1; shift; "$@" >"$work/said" 2>&1 || fails "$what"; holds "$what"; }
# Runs what must be refused, in these words.
refused() {
    local what=$1 words=$2; shift 2
    ! "$@" >"$work/said" 2>&1 || fails "$what: it was not"
    grep -qE "$words" "$work/said" || fails "$what: in other words"
    holds "$what"
}
# A status and the headers of a request with the token.
status() { curl -s -o "$work/body" -D "$work/headers" -w '%{http_code}' -H "Authorization: Bearer $token" "$@"; }

cat >"$work/closure.nix" <<'NIX'
let
  make = name: inputs: derivation {
    inherit name inputs;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" "echo building ${name}; PATH=/bin:/usr/bin; mkdir -p $out/bin; echo $inputs > $out/data; echo '#!/bin/sh' > $out/bin/run; chmod +x $out/bin/run; ln -s ../data $out/bin/link" ];
  };
in make "application-3.4" [ (make "library-1.2" [ ]) ]
NIX
path=$(nix-build --no-out-link "$work/closure.nix" 2>"$work/said") || fails "a closure is built"
drv=$(nix-store --query --deriver "$path")
library=$(nix-store --query --references "$path" | grep library)
addressed=$(nix-store --add "$folder/content-addressed")
hash=$(basename "$path" | cut -c1-32)

"$folder/aux" cache create "$name" "${server[@]}" --signs >"$work/said" 2>&1 || fails "a cache is made"
token=$("$folder/aux" cache token create "$name" --cache "$name" --may push "${server[@]}" 2>"$work/said") ||
    fails "a token is made"

: >"$work/netrc"
refused "a push without a token" "401|403|does not appear to be a binary cache" nix copy --to "$url/$name" "$path"
host=${url#*//}
echo "machine ${host%%:*} login any password $token" >"$work/netrc"
# Nix remembers for a while what a cache did not have.
rm -rf "$work/.cache"
does "a push with netrc, of a closure" nix copy --to "$url/$name" "$path"
does "the same push again" nix copy --to "$url/$name" "$path"
does "a push of a content-addressed path" nix copy --to "$url/$name" "$addressed"
does "nix asks what the cache has" nix path-info --store "$url/$name" "$path"
does "a push of a log" nix store copy-log --to "$url/$name" "$drv"

# Nix remembers the narinfos that it sent, with the URLs they had then, and takes them for what the cache has.
does "the machine that pushed substitutes" nix copy --from "$url/$name" --to "local?root=$work/own" \
    --no-check-sigs "$path"
# Another machine has no such memory.
rm -rf "$work/.cache"
from=(nix copy --from "$url/$name" --to "local?root=$work/second")
refused "a substitution without the key" "lacks a (valid )?signature|lacks a signature by a trusted key" \
    "${from[@]}" --option trusted-public-keys "" "$path"
does "a content-addressed path needs no key" "${from[@]}" --option trusted-public-keys "" "$addressed"
does "a substitution with the key" "${from[@]}" --option trusted-public-keys "$key" "$path"
for one in "$path" "$library"; do
    diff -r "$one" "$work/second$one" >"$work/said" 2>&1 || fails "what was substituted is what was built"
done
holds "what was substituted is what was built"
does "an interrupted closure is gone on with" nix-store --store "local?root=$work/second" --verify-path "$path"

ls_of() { nix store ls --store "$url/$name" --long --recursive "$path"; }
ls_of >"$work/said" 2>&1 || fails "a listing"
grep -q 'bin/link' "$work/said" || fails "a listing names what is in the path"
code=$(status "$url/$name/$hash.ls")
[[ $code == 200 ]] || fails "a listing is there ($code)"
jq -e '.version == 1 and .root.entries.data.type == "regular"' "$work/body" >/dev/null || fails "a listing is one"
offset=$(jq .root.entries.data.narOffset "$work/body")
size=$(jq .root.entries.data.size "$work/body")
holds "a listing"
does "a log" nix log --store "$url/$name" "$path"
grep -q 'building application-3.4' "$work/said" || fails "a log is the builder's"

status "$url/$name/$hash.narinfo" >/dev/null
nar=$(sed -n 's/^URL: //p' "$work/body")
[[ $(status "$url/$name/$nar") == 200 ]] || fails "a NAR is there"
cp "$work/body" "$work/whole"
[[ $(status -r 10-19 "$url/$name/$nar") == 206 ]] || fails "a range"
cmp -s "$work/body" <(tail -c +11 "$work/whole" | head -c 10) || fails "a range is those bytes"
[[ $(status -r 999999999- "$url/$name/$nar") == 416 ]] || fails "a range beyond the end"
holds "a range"
nix-store --dump "$path" | tail -c "+$((offset + 1))" | head -c "$size" | cmp -s - "$path/data" ||
    fails "a listing's offset is where the file is"
holds "a listing's offset is where the file is"

# The same by our own client: nothing is sent twice, and Nix takes what it sent.
"$folder/aux" cache push "$path" --to "$name" "${server[@]}" --json >"$work/said" 2>&1 || fails "aux cache push"
jq -e '.sent == [] and .present == 2' "$work/said" >/dev/null || fails "aux cache push sends nothing twice"
"$folder/aux" cache create "$name-own" "${server[@]}" --signs >"$work/said" 2>&1 || fails "a second cache"
does "aux cache push" "$folder/aux" cache push "$path" --to "$name-own" "${server[@]}"
token=$("$folder/aux" cache token create own --cache "$name-own" --may read "${server[@]}" 2>"$work/said")
echo "machine ${host%%:*} login any password $token" >"$work/netrc"
does "Nix substitutes what aux pushed" nix copy --from "$url/$name-own" --to "local?root=$work/third" \
    --option trusted-public-keys "$key" "$path"

# A view shows what was promoted, and nothing else; what is withdrawn is gone.
aux_cache() { "$folder/aux" cache "$@" "${server[@]}"; }
aux_cache create "$name-view" --view-of "$name" --anonymous >"$work/said" 2>&1 || fails "a view is made"
rm -f "$work/netrc"
# A new memory each time, for Nix keeps what it was answered.
from_view() { rm -rf "$work/.cache"; nix copy --from "$url/$name-view" --to "local?root=$work/$1" --option trusted-public-keys "$key" "$path"; }
refused "what was not promoted is not served" "is not valid|does not exist|no substituter|cannot|404" from_view fourth
does "a promotion" aux_cache promote "$path" --to "$name-view" --reason "a trial"
does "what was promoted is substituted, by everybody" from_view fourth
does "a withdrawal" aux_cache withdraw "$library" --from "$name-view" --reason "a trial"
refused "what was withdrawn is not served, nor what needs it" "is not valid|does not exist|no substituter|cannot|404" from_view fifth
if aux_cache why "$path" --in "$name-view" >"$work/said" 2>&1; then fails "why says that it is not served"; fi
grep -q "because it needs $(basename "$library")" "$work/said" || fails "why says because of what"
holds "why says because of what"
