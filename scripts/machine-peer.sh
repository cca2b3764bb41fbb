#!/usr/bin/env bash
# Makes the machine that secrets are handed out on in tests: a Debian of this release with systemd, and its kernel, in
# target/peers/machine. Tests start it in QEMU and change nothing of it. What is there is kept.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
machine=$root/target/peers/machine
# The command that is tested is linked to this system's C library, so the machine is of its release.
# shellcheck source=/dev/null # every Debian has it
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
made="$release $(sha256sum <"${BASH_SOURCE[0]}")"
if [[ -f $machine/root.img && $(cat "$machine/.made" 2>/dev/null || true) == "$made" ]]; then
    echo "peer of secrets on a machine: $machine"
    exit 0
fi
if [[ -z $release || $(uname -m) != x86_64 ]]; then
    echo "peers: only a Debian on x86_64 can make a machine of its own release to boot" >&2
    exit 1
fi
# Some distributions keep mke2fs where only root's path leads.
PATH=$PATH:/usr/sbin
for program in mmdebstrap mke2fs apt-get dpkg-deb; do
    command -v "$program" >/dev/null || { echo "peers: $program is missing" >&2 && exit 1; }
done
as_root=()
if ((EUID != 0)); then as_root=(sudo -n); fi

work=$(mktemp -d "${TMPDIR:-/tmp}/aux-machine.XXXXXX")
trap '"${as_root[@]}" rm -rf "$work"' EXIT
mkdir -p "$machine"
echo "peers: making a machine of Debian $release, about two minutes" >&2

kernel_of() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: //p'; }
# A system that was just installed has no indexes, and old ones name kernels that are gone.
(cd "$work" && apt-get download --quiet "$(kernel_of)" >/dev/null 2>&1) || {
    "${as_root[@]}" apt-get update --quiet >/dev/null
    (cd "$work" && apt-get download --quiet "$(kernel_of)" >/dev/null)
}
dpkg-deb --fsys-tarfile "$work"/linux-image-*.deb | tar -x -C "$work" ./boot
cp "$work"/boot/vmlinuz-* "$machine/vmlinuz"

"${as_root[@]}" mmdebstrap --quiet --variant=essential --include=systemd,systemd-sysv \
    --aptopt='Acquire::Languages "none"' "$release" "$work/root.tar"
"${as_root[@]}" mkdir "$work/root"
"${as_root[@]}" tar -x -C "$work/root" -f "$work/root.tar"
# A test brings a second disk: what is in its etc is there before systemd looks for units.
"${as_root[@]}" install -m 0755 /dev/stdin "$work/root/sbin/trial-init" <<'INIT'
#!/bin/sh
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mount -t ext4 -o ro /dev/nvme1n1 /trial
cp -dR --preserve=mode /trial/etc/. /etc/
exec /lib/systemd/systemd
INIT
"${as_root[@]}" mkdir "$work/root/trial"
"${as_root[@]}" mke2fs -q -t ext4 -d "$work/root" "$work/root.img" 512M
"${as_root[@]}" chown "$(id -u):$(id -g)" "$work/root.img"
cp --sparse=always "$work/root.img" "$machine/root.img"
printf '%s' "$made" >"$machine/.made"
echo "peer of secrets on a machine: $machine"
