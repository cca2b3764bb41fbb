#!/usr/bin/env bash
# Writes crates/nix/tests/vectors anew: what real Nix of three generations prints of the same small build. Needs root,
# Debian's mmdebstrap and its mirror; each Nix runs in a Debian of its own under the folder named (default /tmp/aux-nix).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
vectors=$(cd "$here/../crates/nix/tests/vectors" && pwd)
roots=${1:-/tmp/aux-nix}
# shellcheck source-path=SCRIPTDIR source=nix-roots.sh
source "$here/nix-roots.sh"

# Runs inside: builds the expression, and shows it in every form this Nix has.
inside='
export HOME=/root NIX_CONFIG="build-users-group =
substituters =
sandbox = false
experimental-features = nix-command"
version=$(nix --version | grep -oE "[0-9]+\.[0-9]+" | head -1)
out=/vectors/$version
rm -rf "$out" && mkdir -p "$out"
drv=$(nix-instantiate --quiet /vectors/greet.nix)
paths=$(nix-store --quiet --realise "$drv")
show=$(nix derivation show --help >/dev/null 2>&1 && echo "derivation show" || echo show-derivation)
nix $show -r "$drv" >"$out/derivations.json" 2>/dev/null || nix show-derivation -r "$drv" >"$out/derivations.json"
if nix path-info --json --json-format 1 $paths >/dev/null 2>&1; then
    for format in 1 2 3; do
        nix path-info -r --json --json-format $format $paths >"$out/path-info-$format.json" 2>/dev/null ||
            rm "$out/path-info-$format.json"
    done
else
    nix path-info -r --json $paths >"$out/path-info.json"
fi
mkdir -p /vectors/derivations
for path in $(nix-store -qR "$drv" | grep "\.drv$"); do cp --no-preserve=mode "$path" /vectors/derivations/; done
'
for suite in bookworm trixie sid; do
    nix_root "$suite" "$roots"
    in_nix_root "$roots/$suite" "$vectors" /vectors bash -euc "$inside"
done
