#!/usr/bin/env bash
# Brings the peers of alerts that Debian has too old or not at all into target/peers/alerts: the library that receivers
# of webhooks verify signatures with, and an SMTP server. Both are pinned; what is there is kept.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/target/peers/alerts
packages='standardwebhooks==1.1.0 aiosmtpd==1.4.6'

if [[ ! -x $venv/bin/python || $(cat "$venv/.packages" 2>/dev/null || true) != "$packages" ]]; then
    mkdir -p "$(dirname "$venv")"
    python3 -m venv --clear "$venv"
    # shellcheck disable=SC2086 # one word for each package
    "$venv/bin/pip" install --quiet --disable-pip-version-check $packages
    printf '%s' "$packages" >"$venv/.packages"
fi
echo "peers of alerts: $venv"
