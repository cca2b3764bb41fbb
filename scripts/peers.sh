#!/usr/bin/env bash
# Installs the real programs that tests run against, as Debian packages, and the schemas that documents are checked
# against. What is there is kept. In CI a missing peer is a failure; elsewhere it is said, and its tests are skipped.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# program | the Debian package that brings it
peers='
nix-store|nix-bin
nix-instantiate|nix-bin
dbus-daemon|dbus-daemon
promtool|prometheus
systemd-analyze|systemd
sqlite3|sqlite3
/usr/lib/postgresql/*/bin/initdb|postgresql
gpg|gnupg
zstd|zstd
nginx|nginx-light
curl|curl
git|git
make|make
skopeo|skopeo
umoci|umoci
docker-registry|docker-registry
tmux|tmux
xz|xz-utils
openssl|openssl
clevis|clevis
clevis-decrypt-tpm2|clevis-tpm2
jose|jose
socat|socat
swtpm|swtpm
swtpm_setup|swtpm-tools
tpm2_createpolicy|tpm2-tools
zsh|zsh
fish|fish
gdbus|libglib2.0-bin
dunst|dunst
Xvfb|xvfb
chromium|chromium
chromedriver|chromium-driver
ssh-keygen|openssh-client
age-keygen|age
wg|wireguard-tools
mkpasswd|whois
htpasswd|apache2-utils
qemu-system-x86_64|qemu-system-x86
mmdebstrap|mmdebstrap
/usr/sbin/mke2fs|e2fsprogs
'

missing=()
while IFS='|' read -r program package; do
    [[ -n $program ]] || continue
    # Debian keeps PostgreSQL's programs out of the path, one folder a version.
    compgen -G "$program" >/dev/null || command -v "$program" >/dev/null || missing+=("$package")
done <<<"$peers"
# tangd stands where no path leads.
[[ -x /usr/libexec/tangd ]] || missing+=(tang)
# The schemas' checker lives in a virtual environment; Debian splits that part of Python off.
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
python3 -c 'import yaml' 2>/dev/null || missing+=(python3-yaml)

if ((${#missing[@]})); then
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    as_root=()
    if ((EUID != 0)); then as_root=(sudo -n); fi
    if command -v apt-get >/dev/null && { ((EUID == 0)) || sudo -n true 2>/dev/null; }; then
        echo "peers: installing ${missing[*]}" >&2
        # Indexes may be older than the mirror; they are only renewed when that is the reason it fails.
        install=(env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends)
        "${as_root[@]}" "${install[@]}" "${missing[@]}" >/dev/null 2>&1 || {
            "${as_root[@]}" apt-get update --quiet >/dev/null
            "${as_root[@]}" "${install[@]}" "${missing[@]}" >/dev/null
        }
    elif [[ -n ${CI:-} ]]; then
        echo "peers: missing ${missing[*]}, and this user may not install packages" >&2
        exit 1
    else
        echo "peers: missing, so their tests will be skipped: ${missing[*]}" >&2
        echo "peers: apt-get install ${missing[*]}" >&2
    fi
fi

if ! "$here/schemas.sh"; then
    [[ -z ${CI:-} ]] || exit 1
    echo "peers: no schemas, so documents will not be checked against them; scripts/schemas.sh says why" >&2
fi
if ! "$here/alert-peers.sh"; then
    [[ -z ${CI:-} ]] || exit 1
    echo "peers: no SMTP server and no library of webhooks, so their tests will be skipped" >&2
fi
if ! "$here/secrets-peers.sh"; then
    [[ -z ${CI:-} ]] || exit 1
    echo "peers: no library for the second implementation of derived secrets, so it will not be asked" >&2
fi
if ! "$here/object-peers.sh"; then
    [[ -z ${CI:-} ]] || exit 1
    echo "peers: no S3 server, so its tests will be skipped" >&2
fi
if ! "$here/machine-peer.sh"; then
    [[ -z ${CI:-} ]] || exit 1
    echo "peers: no machine to boot, so secrets will not be handed out by a systemd that has booted" >&2
fi
