#!/usr/bin/env python3
"""Writes a folder of .drv files again, once for each copy, with digests and versions of its own: as many more components.

usage: more_derivations.py FOLDER_OF_DRV FOLDER_TO_WRITE COPIES (the first is the original)
"""
import pathlib
import re
import sys

source, target, copies = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"
STORE_NAME = re.compile(r"([0-9a-z]{32})-([^/\"\s]+)\.drv")
VERSION = re.compile(r"-\d[\w.]*$")
NO_PACKAGE = re.compile(r"\.(tar|t?gz|t?bz2|t?xz|lzma|zip|jar|patch|diff|sh|pl|py|conf|txt|json|service|rules)\b")


def renamed(found, copy):
    digest, name = found.groups()
    first = DIGITS[(DIGITS.index(digest[0]) + copy) % len(DIGITS)]
    last = DIGITS[(DIGITS.index(digest[-1]) + copy) % len(DIGITS)]
    versioned = VERSION.search(name) and not NO_PACKAGE.search(name)
    return f"{first}{digest[1:-1]}{last}-{name}{f'.{copy}' if versioned else ''}.drv"


target.mkdir(parents=True, exist_ok=True)
for path in source.glob("*.drv"):
    text = path.read_text(errors="surrogateescape")
    for copy in range(copies):
        change = (lambda found: renamed(found, copy)) if copy else (lambda found: found[0])
        (target / STORE_NAME.sub(change, path.name)).write_text(STORE_NAME.sub(change, text), errors="surrogateescape")
