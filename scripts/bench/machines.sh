#!/usr/bin/env bash
# Times the audit of a repository by its number of machines: scripts/bench/machines.sh [AUX] [FEED.auxdb]
#
# Each machine of the flake has 1 500 derivations in common with the others and 20 of its own, and is evaluated by the real
# nix into a store of its own under a temporary folder. AUDIT_OPTIONS, such as `--only packages`, are passed on. Shown:
# seconds, best of three, and how often nix was started.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
aux=${1:-$root/target/release/aux}
work=$(mktemp -d "${TMPDIR:-/tmp}/aux-machines.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
export HOME=$work NIX_STORE_DIR=$work/store NIX_STATE_DIR=$work/state NIX_LOG_DIR=$work/log NIX_CONF_DIR=$work/conf
unset NIX_CONFIG
mkdir -p "$work/conf" "$work/bin"
echo 'build-users-group =' >"$work/conf/nix.conf"
options=${AUDIT_OPTIONS:-}
feed=${2:-$work/feed.auxdb}
[[ -f $feed ]] || "$aux" feed build --quiet --nvd "$root/examples/advisories/nvd" --triage "$root/triage" --output "$feed"
# Counts how often the real one is started.
printf '#!/bin/sh\necho >>%q\nexec %q "$@"\n' "$work/started" "$(command -v nix)" >"$work/bin/nix"
chmod +x "$work/bin/nix"
export PATH=$work/bin:$PATH

printf '%8s%12s%12s%12s\n' machines 'first, s' 'again, s' 'nix started'
for count in 1 2 5 10 20; do
    folder=$work/fleet-$count
    mkdir "$folder"
    cat >"$folder/flake.nix" <<EOF
{
  outputs = { self }:
    let
      make = name: inputs: derivation { inherit name inputs; system = "x86_64-linux"; builder = "/bin/sh"; };
      range = first: last: builtins.genList (n: first + n) (last - first + 1);
      # Each needs two earlier ones, as packages do.
      common = builtins.foldl'
        (made: n: made // { \${toString n} = make "package\${toString n}-1.\${toString n}"
          (if n < 2 then [ ] else [ made.\${toString (n / 2)} made.\${toString (n - 1)} ]); })
        { } (range 0 1499);
      machine = name: { config.system.build.toplevel = make "nixos-system-\${name}"
        ([ common."1499" ] ++ map (n: make "own\${toString n}-\${name}.0" [ ]) (range 1 20)); };
    in
    { nixosConfigurations = builtins.listToAttrs (map (n: { name = "m\${toString n}"; value = machine "m\${toString n}"; }) (range 1 $count)); };
}
EOF
    chmod -R u+w "$work/store" 2>/dev/null || true
    rm -rf "$work/store" "$work/state"
    : >"$work/started"
    TIMEFORMAT=%R
    audit() { "$aux" audit "$folder" --feed "$feed" $options >/dev/null 2>"$work/said" || [[ $? == 1 ]] || cat "$work/said" >&2; }
    first=$({ time audit; } 2>&1)
    started=$(wc -l <"$work/started")
    best=99
    for _ in 1 2 3; do
        again=$({ time audit; } 2>&1)
        best=$(awk -v a="$best" -v b="$again" 'BEGIN { print a < b ? a : b }')
    done
    printf '%8d%12s%12s%12d\n' "$count" "$first" "$best" "$started"
done
