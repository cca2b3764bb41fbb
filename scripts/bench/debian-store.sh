#!/usr/bin/env bash
# Fills a Nix store of its own with one path for each of many installed Debian packages: scripts/bench/debian-store.sh FOLDER [COUNT]
#
# Stands in for a system's closure where there is no nixpkgs: real programs, libraries and documents, in the sizes real
# packages have (default: the 300 largest of at most 40 MB). Prints the paths; FOLDER/nix/store holds them.
set -euo pipefail

folder=$1 count=${2:-300}
store="local?root=$folder"
export NIX_CONFIG=$'build-users-group =\nexperimental-features = nix-command\nsubstituters ='
mkdir -p "$folder"
work=$(mktemp -d "${TMPDIR:-/tmp}/aux-store.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

# The list is read whole, so that no reader closes the pipe early.
mapfile -t packages < <(dpkg-query --show --showformat '${Installed-Size} ${Package} ${Version}\n' |
    awk '$1 <= 40000' | sort --numeric-sort --reverse)
for row in "${packages[@]:0:count}"; do
    read -r _ package version <<<"$row"
    # A store path's name takes fewer characters than a Debian version has.
    name=$package-${version//[^0-9A-Za-z+._?=-]/_}
    mkdir "$work/$name"
    # Files only: a link may lead out of what is copied, and Nix would keep it as it is.
    dpkg-query --listfiles "$package" | while read -r file; do
        if [[ -f $file && -r $file ]]; then echo "${file#/}"; fi
    done | tar --create --directory / --no-recursion --ignore-failed-read --verbatim-files-from --files-from - |
        tar --extract --directory "$work/$name" --no-same-owner
    nix store add-path --store "$store" --name "$name" "$work/$name"
    rm -rf "${work:?}/$name"
done
