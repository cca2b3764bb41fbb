#!/usr/bin/env python3
"""Prints what `nix-store --register-validity` reads, for a folder of .drv files that stand at their place in the store.

Only derivations are registered: the sources they name are in no corpus, and neither program reads them.
"""
import pathlib
import re
import sys

INPUTS = re.compile(r'^Derive\(\[.*?\],\[(.*?)\],\["?(?=[/\]])', re.DOTALL)
INPUT = re.compile(r'\("(/nix/store/[^"]+\.drv)",\[')

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.drv")):
    text = path.read_text(errors="surrogateescape")
    # Inputs stand before the first list of sources; nothing in the environment is looked at.
    head = text[:INPUTS.match(text).end()] if INPUTS.match(text) else ""
    inputs = sorted(set(INPUT.findall(head)))
    lines = [f"/nix/store/{path.name}", "", str(len(inputs)), *inputs]
    sys.stdout.write("\n".join(lines) + "\n")
