#!/usr/bin/env python3
"""Writes copies of NVD's yearly 2.0 files under ids, vendors and products of their own, so that a feed grows and nothing matches more.

usage: more_feeds.py FOLDER_OF_2.0_FILES FOLDER_TO_WRITE COPY_NUMBER
"""
import gzip
import pathlib
import re
import sys

source, target, copy = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
ID = re.compile(rb'"id":"CVE-(\d{4})-')
# Vendor and product are the fourth and fifth part; a backslash hides a colon.
NAME = re.compile(rb'"criteria":"cpe:2\.3:([aoh]):((?:[^:"\\]|\\.)+):((?:[^:"\\]|\\.)+):')
mark = b"%d" % copy
target.mkdir(parents=True, exist_ok=True)
for path in sorted(source.glob("nvdcve-2.0-*.json.gz")):
    with gzip.open(path) as file:
        text = file.read()
    text = ID.sub(lambda found: b'"id":"CVE-%d-' % (int(found[1]) + 100 * copy), text)
    text = NAME.sub(rb'"criteria":"cpe:2.3:\g<1>:\g<2>_copy' + mark + rb":\g<3>_copy" + mark + b":", text)
    with gzip.open(target / path.name, "wb", 1) as file:
        file.write(text)
