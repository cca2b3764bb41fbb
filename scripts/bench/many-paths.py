#!/usr/bin/env python3
"""Fills the records of a cache server that is stopped with paths that have no NARs: many-paths.py DATA COUNT [PROMOTED].

Names, numbers of references and signatures are like those of a large binary cache; hashes are those of counting. The first
PROMOTED paths (default none) are also in the view `vetted`, with a signature that has the right length and is none. It is
for measuring how a server starts and what it takes, and for nothing else: references are in the narinfos alone, and `fsck`
finds every NAR missing.
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


TRANSLATION = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", DIGITS.encode())


def nix32(data):
    """The last bit first; with zeros before it, the same as base 32 of the bytes backwards."""
    encoded = base64.b32encode(bytes(-len(data) % 5) + data[::-1])
    return encoded[-((len(data) * 8 + 4) // 5):].translate(TRANSLATION).decode()


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
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -1000000")
    (staging,) = database.execute("SELECT number FROM space WHERE name = 'staging'").fetchone()
    (vetted,) = database.execute("SELECT number FROM space WHERE name = 'vetted'").fetchone()
    now = int(time.time())
    signature = base64.b64encode(bytes(64)).decode()
    hashes = [digest("path", number)[:20] for number in range(count)]
    bases = [f"{nix32(hashes[number])}-{NAMES[number % len(NAMES)]}" for number in range(count)]
    nars = [digest("nar", number) for number in range(count)]
    lengths = []

    def narinfo(number):
        nar, file = nix32(nars[number]), nix32(digest("file", number))
        text = (f"StorePath: /nix/store/{bases[number]}\nURL: nar/{nar}.nar.zst\nCompression: zstd\n"
                f"FileHash: sha256:{file}\nFileSize: {20000 + number}\nNarHash: sha256:{nar}\n"
                f"NarSize: {90000 + number}\nReferences: {' '.join(bases[one] for one in references(number))}\n"
                f"Deriver: {nix32(digest('drv', number)[:20])}-{NAMES[number % len(NAMES)]}.drv\n"
                f"Sig: cache.nixos.org-1:{signature}\n")
        lengths.append(len(text))
        return text

    database.executemany(
        "INSERT INTO object VALUES (?, ?, 'zstd', ?, ?, x'', ?)",
        ((nars[number], 90000 + number, digest("file", number), 20000 + number, now)
         for number in sorted(range(count), key=nars.__getitem__)))
    own = f"aux-01234567-1:{signature}"
    database.executemany(
        "INSERT INTO path VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 't1')",
        ((number + 1, staging, hashes[number], bases[number], nars[number], 90000 + number, narinfo(number),
          own if number < promoted else None, now) for number in range(count)))
    length = sum(lengths)
    if promoted:
        database.execute("INSERT INTO edition VALUES (?, 1, ?, 'promote', 't1', NULL)", (vetted, now))
        database.executemany("INSERT INTO entry VALUES (?, ?, 1, NULL)", ((vetted, number + 1) for number in range(promoted)))
    database.commit()
    print(f"{count} paths, {promoted} of them promoted, narinfos of {length // count} bytes on average")


if __name__ == "__main__":
    main()
