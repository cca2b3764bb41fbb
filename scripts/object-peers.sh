#!/usr/bin/env bash
# Brings an S3 server into target/peers/objects, for tests of the cache's object store: moto in server mode, pinned; what is
# there is kept.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/target/peers/objects
packages='moto[s3]==5.2.5 flask==3.1.3 flask-cors==6.0.5'

if [[ ! -x $venv/bin/python || $(cat "$venv/.packages" 2>/dev/null || true) != "$packages" ]]; then
    mkdir -p "$(dirname "$venv")"
    python3 -m venv --clear "$venv"
    # shellcheck disable=SC2086 # one word for each package
    "$venv/bin/pip" install --quiet --disable-pip-version-check $packages
    printf '%s' "$packages" >"$venv/.packages"
fi
echo "peers of the object store: $venv"
