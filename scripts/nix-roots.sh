#!/usr/bin/env bash
# Other generations of Nix, each in a Debian of its own: sourced by scripts that run something in them. Needs root and
# Debian's mmdebstrap and its mirror.

# The programs a Debian gets beside its Nix.
nix_root_packages=nix-bin,ca-certificates,curl,jq

# nix_root SUITE FOLDER: makes FOLDER/SUITE where it is not there yet, whole or not at all.
nix_root() {
    local suite=$1 root=$2/$1 key=/usr/share/keyrings/debian-archive-keyring.gpg
    [[ -d $root ]] && return
    mkdir -p "$2"
    rm -rf "$root.part"
    # Sid's lists are often older than they say they may be.
    mmdebstrap --quiet --variant=apt --include="$nix_root_packages" --aptopt='Acquire::Check-Valid-Until "false"' \
        "$suite" "$root.part" "deb [signed-by=$key] http://deb.debian.org/debian $suite main"
    mv "$root.part" "$root"
}

# in_nix_root ROOT FOLDER PLACE COMMAND...: runs a command in ROOT, where FOLDER is seen as PLACE.
in_nix_root() {
    local root=$1 folder=$2 place=$3
    shift 3
    mkdir -p "$root$place"
    # shellcheck disable=SC2016
    unshare --mount bash -c 'mount --bind "$1" "$2$3" && mount -t proc proc "$2/proc" && mount --rbind /dev "$2/dev" &&
        root=$2 && shift 3 && exec chroot "$root" "$@"' _ "$folder" "$root" "$place" "$@"
}
