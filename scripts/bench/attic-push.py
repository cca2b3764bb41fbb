#!/usr/bin/env python3
"""Pushes every path of a store to an atticd, four at once: attic-push.py URL TOKEN CACHE STORE (makes the cache if it is new)

Stands for attic's client, which does not build everywhere: NARs go as they are, since the server unpacks and hashes them anyway.
"""

import concurrent.futures
import json
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request

url, token, cache, store = sys.argv[1:]
access = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def ask(method, path, body, headers):
    request = urllib.request.Request(url + path, method=method, data=body, headers={**access, **headers})
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def push(row):
    path, digest, size, references = row
    info = json.dumps({
        "cache": cache, "store_path_hash": path[11:43], "store_path": path, "references": references, "system": None,
        "deriver": None, "sigs": [], "ca": None, "nar_hash": digest, "nar_size": size,
    }).encode()
    nar = subprocess.run(["nix-store", "--dump", store + path], check=True, capture_output=True).stdout
    ask("PUT", "/_api/v1/upload-path", info + nar,
        {"X-Attic-Nar-Info-Preamble-Size": str(len(info)), "Content-Type": "application/octet-stream"})


configuration = {"keypair": "Generate", "is_public": True, "store_dir": "/nix/store", "priority": 40, "upstream_cache_key_names": []}
try:
    ask("POST", f"/_api/v1/cache-config/{cache}", json.dumps(configuration).encode(), {})
except urllib.error.HTTPError as error:
    if b"AlreadyExists" not in error.read():
        raise
database = sqlite3.connect(f"file:{store}/nix/var/nix/db/db.sqlite?mode=ro", uri=True)
names = dict(database.execute("select id, path from ValidPaths"))
needs = {number: [] for number in names}
for referrer, reference in database.execute("select referrer, reference from Refs"):
    needs[referrer].append(names[reference][11:])
rows = [(path, digest, size, needs[number])
        for number, path, digest, size in database.execute("select id, path, hash, narSize from ValidPaths order by path")]
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    list(pool.map(push, rows))
