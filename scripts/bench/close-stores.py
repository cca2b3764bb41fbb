#!/usr/bin/env python3
"""Makes two close closures out of a store that debian-store.sh filled: close-stores.py STORE FIRST SECOND [PACKAGE]

In FIRST every path names others as Nix's do: programs their libraries' paths, scripts their interpreter's, files their own.
SECOND is the same after PACKAGE (libc6) was built again with one byte of its programs changed, as a patch does: it and
whatever depends on it have other hashes. Both are Nix stores; prints how many paths and hashes differ.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

NIX32 = "0123456789abcdfghijklmnpqrsvwxyz"
INTERPRETER = re.compile(rb"\A#! ?/(?:usr/)?bin/(?:env )?(sh|bash|perl|python3?)\b")
INTERPRETERS = {b"sh": "dash", b"bash": "bash", b"perl": "perl-base", b"python": "python3", b"python3": "python3"}


def query(field):
    rows = subprocess.run(["dpkg-query", "--show", "--showformat", "${Package}\t${%s}\n" % field], check=True,
                          capture_output=True, text=True).stdout
    return dict(row.split("\t", 1) for row in rows.splitlines())


def dependencies():
    """Of every package: those it depends on, versions and all alternatives but the first left out."""
    first = lambda clause: re.split(r"[ (:|]", clause.strip(), maxsplit=1)[0]
    return {package: {first(clause) for clause in text.split(",") if clause.strip()}
            for package, text in query("Depends").items()}


def dependents(package, needs):
    found, waiting = {package}, [package]
    while waiting:
        last = waiting.pop()
        for other, wanted in needs.items():
            if last in wanted and other not in found:
                found.add(other)
                waiting.append(other)
    return found


def nar(path):
    """Its hash and its length."""
    with subprocess.Popen(["nix-store", "--dump", path], stdout=subprocess.PIPE) as dump:
        digest, length = hashlib.sha256(), 0
        while piece := dump.stdout.read(1 << 20):
            digest.update(piece)
            length += len(piece)
    return digest.hexdigest(), str(length)


class Closure:
    """Where each package lies."""

    def __init__(self, names, needs, rebuilt, changed):
        self.names, self.needs, self.changed, self.hashes = names, needs, changed, 0
        self.paths = {}
        for package, name in names.items():
            salt = "second" if package in rebuilt else "first"
            digest = hashlib.sha256(f"{salt} {name}".encode()).digest()
            self.paths[package] = "/nix/store/" + "".join(NIX32[byte & 31] for byte in digest) + "-" + name

    def libraries(self, package):
        return [self.paths[other] for other in sorted(self.needs.get(package, ())) if other in self.paths]

    def rewritten(self, package, content):
        own = self.paths[package].encode()
        if content.startswith(b"\x7fELF"):
            if package == self.changed:
                middle = len(content) // 2
                content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1:]
            run_path = ":".join(path + "/lib" for path in self.libraries(package)).encode()
            place = content.find(b"libc.so.6\0")
            place = place + 10 if place >= 0 else len(content)
            self.hashes += run_path.count(b"/nix/store/")
            return content[:place] + run_path + b"\0" + content[place:]
        script = INTERPRETER.match(content)
        if script and (interpreter := self.paths.get(INTERPRETERS[script[1]])):
            self.hashes += 1
            content = b"#!" + interpreter.encode() + b"/bin/" + script[1] + content[script.end():]
        if b"\0" not in content[:4096]:
            self.hashes += content.count(b"/usr/share/") + content.count(b"/usr/lib/")
            content = content.replace(b"/usr/share/", own + b"/share/").replace(b"/usr/lib/", own + b"/lib/")
        return content

    def write(self, source, root):
        for package, name in self.names.items():
            path = self.paths[package]
            target = pathlib.Path(f"{root}{path}")
            for folder, _, files in os.walk(source[package]):
                inside = target / os.path.relpath(folder, source[package])
                inside.mkdir(parents=True, exist_ok=True)
                for file in files:
                    old = pathlib.Path(folder) / file
                    if old.is_symlink():
                        (inside / file).symlink_to(os.readlink(old))
                        continue
                    content = self.rewritten(package, old.read_bytes())
                    (inside / file).write_bytes(content)
                    (inside / file).chmod(0o555 if os.access(old, os.X_OK) else 0o444)
        # The store's own clock: every file from 1970 and nothing writable.
        subprocess.run(["find", f"{root}/nix/store", "-exec", "touch", "-h", "-d", "@1", "{}", "+"], check=True)
        subprocess.run(["find", f"{root}/nix/store", "-mindepth", "1", "-type", "d", "-exec", "chmod", "555", "{}", "+"], check=True)
        registration = []
        for package, path in self.paths.items():
            references = sorted({path, *self.libraries(package)})
            registration += [path, *nar(f"{root}{path}"), "", str(len(references)), *references]
        subprocess.run(["nix-store", "--store", f"local?root={root}", "--load-db"], check=True,
                       input="\n".join(registration) + "\n", text=True)


def main():
    store, first, second = sys.argv[1:4]
    changed = sys.argv[4] if len(sys.argv) > 4 else "libc6"
    source, names = {}, {}
    versions = query("Version")
    for path in sorted(pathlib.Path(store, "nix/store").iterdir()):
        name = path.name[33:]
        package = next((name[:at] for at in range(len(name), 0, -1) if name[at:at + 1] == "-" and name[:at] in versions), None)
        if path.is_dir() and package:
            source[package], names[package] = path, name
    needs = dependencies()
    rebuilt = dependents(changed, needs)
    closures = [Closure(names, needs, set(), None), Closure(names, needs, rebuilt, changed)]
    for closure, root in zip(closures, (first, second)):
        shutil.rmtree(root, ignore_errors=True)
        closure.write(source, os.path.abspath(root))
    other = sum(closures[0].paths[package] != closures[1].paths[package] for package in names)
    print(f"{len(names)} paths, {other} of them other ones in the second; {closures[0].hashes} hashes in the first")


main()
