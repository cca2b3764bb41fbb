#!/usr/bin/env python3
"""Fills the records of a cache server that is stopped with paths that have no NARs: many-paths.py DATA COUNT [PROMOTED].

Names, numbers of references and signatures are like those of a large binary cache; hashes are those of counting. The first
PROMOTED paths (default none) are also in the view `vetted`, with a signature that has the right length and is none. It is
for measuring how a server starts and what it takes, and for nothing else: `fsck` finds every NAR missing.
"""

import base64
import hashlib
import sqlite3
import sys
import time

DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"
NAMES = ["glibc-2.40-66", "perl5.40.0-URI-5.21", "python3.12-cryptography-43.0.1", "texlive-scheme-full-2024-final",
         "rust_regex-automata-0.4.9", "haskell-lens-5.2.3-doc", "linux-6.12.10-modules", "source", "gcc-13.3.0-lib",
         "nodejs-22.12.0-dev", "unit-systemd-journald.service", "qtbase-6.8.1", "hook", "wrapper-firefox-134.0"]


def nix32(data):
    number = int.from_bytes(data, "little")
    return "".join(DIGITS[number >> shift & 31] for shift in range((len(data) * 8 - 1) // 5 * 5, -1, -5))


def digest(kind, number):
    return hashlib.sha256(f"{kind} {number}".encode()).digest()


def references(number):
    """On average five, most of them to few paths that very many need."""
    count = (number * 2654435761 >> 7) % 11 if number else 0
    return sorted({(number * 40503 + one * one * 977) % min(number, 2000 if one % 3 else number) for one in range(count)})


def main():
    data, count = sys.argv[1], int(sys.argv[2])
    promoted = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    database = sqlite3.connect(f"{data}/cache.sqlite")
    database.execute("PRAGMA synchronous = OFF")
    (staging,) = database.execute("SELECT number FROM space WHERE name = 'staging'").fetchone()
    (vetted,) = database.execute("SELECT number FROM space WHERE name = 'vetted'").fetchone()
    now = int(time.time())
    signature = base64.b64encode(bytes(64)).decode()
    hashes = [digest("path", number)[:20] for number in range(count)]
    bases = [f"{nix32(hashes[number])}-{NAMES[number % len(NAMES)]}" for number in range(count)]
    length = 0
    for number in range(count):
        nar, file = digest("nar", number), digest("file", number)
        needs = references(number)
        narinfo = (f"StorePath: /nix/store/{bases[number]}\nURL: nar/{nix32(nar)}.nar.zst\nCompression: zstd\n"
                   f"FileHash: sha256:{nix32(file)}\nFileSize: {20000 + number}\nNarHash: sha256:{nix32(nar)}\n"
                   f"NarSize: {90000 + number}\nReferences: {' '.join(bases[one] for one in needs)}\n"
                   f"Deriver: {nix32(digest('drv', number)[:20])}-{NAMES[number % len(NAMES)]}.drv\n"
                   f"Sig: cache.nixos.org-1:{signature}\n")
        own = f"aux-01234567-1:{signature}" if number < promoted else None
        length += len(narinfo)
        database.execute("INSERT INTO object VALUES (?, ?, 'zstd', ?, ?, x'', ?)", (nar, 90000 + number, file, 20000 + number, now))
        database.execute("INSERT INTO path VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 't1')",
                         (number + 1, staging, hashes[number], bases[number], nar, 90000 + number, narinfo, own, now))
        database.executemany("INSERT INTO reference VALUES (?, ?)", [(number + 1, one + 1) for one in needs])
    if promoted:
        database.execute("INSERT INTO edition VALUES (?, 1, ?, 'promote', 't1', NULL)", (vetted, now))
        database.executemany("INSERT INTO entry VALUES (?, ?, 1, NULL)", ((vetted, number + 1) for number in range(promoted)))
    database.commit()
    print(f"{count} paths, {promoted} of them promoted, narinfos of {length // count} bytes on average")


if __name__ == "__main__":
    main()
