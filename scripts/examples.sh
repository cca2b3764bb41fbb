#!/usr/bin/env bash
# Checks what the repository shows to strangers: the example graph is what its script writes, and every Nix file parses.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d "${TMPDIR:-/tmp}/aux-examples.XXXXXX")
trap 'rm -rf "$work"' EXIT

cp examples/fleet/make.py "$work/"
python3 "$work/make.py" >/dev/null
diff --recursive "$work/web.drvs" examples/fleet/web.drvs || {
    echo "examples: run examples/fleet/make.py and commit what it writes" >&2
    exit 1
}
if command -v nix-instantiate >/dev/null; then
    for file in examples/fleet/*.nix nix/*.nix flake.nix; do
        [[ ! -f $file ]] || nix-instantiate --parse "$file" >/dev/null
    done
elif [[ -n ${CI:-} ]]; then
    echo "examples: nix-instantiate is missing" >&2
    exit 1
else
    echo "examples: the Nix files were not parsed; apt-get install nix-bin" >&2
fi
