#!/usr/bin/env python3
"""Writes web.drvs/, the derivation graph of a machine that nobody owns: examples/fleet/make.py

Names and versions are real, the way nixpkgs built them; hashes are made up, each from the name it stands for, so that
the same script always writes the same bytes. Two generations of nixpkgs meet in it, as they do in many a real flake:
`stable` is what the machine is built from, and `legacy` is a pin from 2020 that somebody needed for one program.
"""

import hashlib
import json
import pathlib
import shutil

ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"  # Nix's base 32 leaves out e, o, t and u
SYSTEM = "x86_64-linux"
FOLDER = pathlib.Path(__file__).resolve().parent / "web.drvs"

derivations = {}


def digest(text):
    """Thirty-two letters, as at the start of every store path."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:20], "big")
    return "".join(ALPHABET[(number >> (5 * place)) & 31] for place in range(32))


def store(name, *facts):
    return f"/nix/store/{digest('|'.join((name, *facts)))}-{name}"


def quoted(text):
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(plain, escaped)
    return f'"{text}"'


def listed(items):
    return "[" + ",".join(items) + "]"


class Derivation:
    """One .drv file: its outputs, what it is built from, and the environment of its builder."""

    def __init__(self, name, inputs=(), sources=(), outputs=("out",), fixed=None, environment=None):
        self.name, self.inputs, self.sources = name, list(inputs), sorted(sources)
        self.path = store(f"{name}.drv", *sorted(one.path for one in inputs))
        self.outputs = {
            output: store(name if output == "out" else f"{name}-{output}", self.path) for output in sorted(outputs)
        }
        self.fixed = fixed
        self.environment = {"name": name, "system": SYSTEM, "builder": SHELL, **self.outputs, **(environment or {})}
        derivations[self.path] = self

    @property
    def out(self):
        return self.outputs["out"]

    def text(self):
        hashes = ("sha256", hashlib.sha256(self.fixed.encode()).hexdigest()) if self.fixed else ("", "")
        outputs = [f"({','.join(map(quoted, (name, path, *hashes)))})" for name, path in self.outputs.items()]
        inputs = [f"({quoted(one.path)},{listed([quoted('out')])})" for one in sorted(self.inputs, key=lambda d: d.path)]
        environment = [f"({quoted(key)},{quoted(value)})" for key, value in sorted(self.environment.items())]
        arguments = [quoted("-e"), quoted(store("default-builder.sh"))]
        parts = [listed(outputs), listed(inputs), listed(map(quoted, self.sources)), quoted(SYSTEM), quoted(SHELL)]
        return f"Derive({','.join(parts)},{listed(arguments)},{listed(environment)})"


SHELL = store("bash-5.2-p21") + "/bin/bash"


def fetch(name, url):
    """A download: a fixed-output derivation, never a component of its own."""
    return Derivation(name, fixed=url, environment={"urls": url, "outputHashMode": "flat", "outputHashAlgo": "sha256"})


def package(name, version, url, inputs=(), patches=(), files=(), outputs=("out",)):
    """A package built from source, as stdenv.mkDerivation writes it; `files` are patches that lie in the repository."""
    source = fetch(url.rsplit("/", 1)[1], url)
    applied = [patch.out for patch in patches] + [store(file) for file in files]
    environment = {"pname": name, "version": version, "src": source.out, "patches": " ".join(applied)}
    environment["buildInputs"] = " ".join(one.out for one in inputs)
    return Derivation(
        f"{name}-{version}", [source, *inputs, *patches], [store(file) for file in files], outputs, None, environment
    )


def structured(name, version, url, inputs=(), patches=()):
    """The same with `__structuredAttrs = true`: everything stands in one JSON text."""
    source = fetch(url.rsplit("/", 1)[1], url)
    attributes = {"name": f"{name}-{version}", "pname": name, "version": version, "src": source.out}
    attributes["patches"] = [patch.out for patch in patches]
    attributes["buildInputs"] = [one.out for one in inputs]
    environment = {"__json": json.dumps(attributes, sort_keys=True)}
    return Derivation(f"{name}-{version}", [source, *inputs, *patches], environment=environment)


def unit(name, *inputs):
    """A systemd unit: a text that names the programs it starts."""
    lines = [f"ExecStart={one.out}/bin/{one.environment.get('pname', 'run')}" for one in inputs]
    return Derivation(f"unit-{name}.service", inputs, environment={"text": "\n".join(lines), "preferLocalBuild": "1"})


def stable():
    """What the machine is made of: nixos-23.11 as it stood in December 2023."""
    glibc = package("glibc", "2.38-27", "https://ftpmirror.gnu.org/glibc/glibc-2.38.tar.xz", files=["2.38-master.patch.gz"])
    bash = package("bash", "5.2-p21", "https://ftpmirror.gnu.org/bash/bash-5.2.tar.gz", [glibc])
    zlib = package("zlib", "1.3", "https://github.com/madler/zlib/releases/download/v1.3/zlib-1.3.tar.gz", [glibc])
    xz = package("xz", "5.4.4", "https://tukaani.org/xz/xz-5.4.4.tar.bz2", [glibc])
    openssl = package("openssl", "3.0.12", "https://www.openssl.org/source/openssl-3.0.12.tar.gz", [glibc],
                      files=["nix-ssl-cert-file.patch"], outputs=("out", "bin", "dev"))
    pcre2 = package("pcre2", "10.42", "https://github.com/PCRE2Project/pcre2/releases/download/pcre2-10.42/pcre2-10.42.tar.bz2", [glibc])
    nghttp2 = package("nghttp2", "1.57.0", "https://github.com/nghttp2/nghttp2/releases/download/v1.57.0/nghttp2-1.57.0.tar.bz2", [openssl])
    curl = package("curl", "8.4.0", "https://curl.haxx.se/download/curl-8.4.0.tar.bz2", [openssl, nghttp2, zlib])
    libxml2 = package("libxml2", "2.11.5", "https://download.gnome.org/sources/libxml2/2.11/libxml2-2.11.5.tar.xz", [zlib, xz])
    nginx = package("nginx", "1.24.0", "https://nginx.org/download/nginx-1.24.0.tar.gz", [openssl, pcre2, zlib, libxml2],
                    files=["nix-etag-1.15.4.patch"])
    openssh = package("openssh", "9.5p1", "https://cdn.openbsd.org/pub/OpenBSD/OpenSSH/portable/openssh-9.5p1.tar.gz", [openssl, zlib])
    postgresql = structured("postgresql", "15.5", "https://ftp.postgresql.org/pub/source/v15.5/postgresql-15.5.tar.bz2", [openssl, libxml2])
    git = package("git", "2.42.0", "https://www.kernel.org/pub/software/scm/git/git-2.42.0.tar.xz", [curl, openssl, zlib])
    rtmpdump = package("rtmpdump", "unstable-2021-02-19", "https://git.ffmpeg.org/gitweb/rtmpdump.tar.gz", [openssl, zlib])
    unzip_patches = [
        *(fetch(f"{cve}.diff", f"https://sources.debian.org/data/main/u/unzip/6.0-28/debian/patches/{file}")
          for cve, file in (("CVE-2014-8139", "09-cve-2014-8139-crc-overflow.patch"),
                            ("CVE-2014-8140", "10-cve-2014-8140-test-compr-eb.patch"),
                            ("CVE-2014-8141", "11-cve-2014-8141-getzip64data.patch"))),
        # Its file name says nothing; the place it was fetched from does.
        fetch("unzip-wide-strings.patch",
              "https://sources.debian.org/data/main/u/unzip/6.0-28/debian/patches/28-cve-2022-0529-and-cve-2022-0530.patch"),
    ]
    unzip = structured("unzip", "6.0", "https://downloads.sourceforge.net/infozip/unzip60.tar.gz", [glibc], unzip_patches)
    linux = package("linux", "6.1.68", "https://www.kernel.org/pub/linux/kernel/v6.x/linux-6.1.68.tar.xz")
    systemd = package("systemd", "254.6", "https://github.com/systemd/systemd-stable/archive/v254.6.tar.gz", [glibc, xz])
    return {"bash": bash, "curl": curl, "git": git, "linux": linux, "nginx": nginx, "openssh": openssh,
            "postgresql": postgresql, "rtmpdump": rtmpdump, "systemd": systemd, "unzip": unzip}


def legacy():
    """One program that needed an old PHP, and what its pin of nixos-20.09 brought along in December 2020."""
    zlib = package("zlib", "1.2.11", "https://www.zlib.net/fossils/zlib-1.2.11.tar.gz")
    openssl = package("openssl", "1.1.1i", "https://www.openssl.org/source/openssl-1.1.1i.tar.gz", files=["nix-ssl-cert-file.patch"])
    libxml2 = package(
        "libxml2", "2.9.10", "http://xmlsoft.org/sources/libxml2-2.9.10.tar.gz", [zlib],
        [fetch(f"{cve}.patch", f"https://gitlab.gnome.org/GNOME/libxml2/commit/{commit}.patch") for cve, commit in
         (("CVE-2019-20388", "6088a74bcf7d0c42e24cff4594d804e1d3c9fbca"),
          ("CVE-2020-7595", "0e1a49c8907645d2e155f0d89d4d9895ac5112b5"),
          ("CVE-2020-24977", "50f06b3efb638efb0abd95dc62dca05ae67882c2"))])
    php = package("php", "7.4.13", "https://www.php.net/distributions/php-7.4.13.tar.bz2", [openssl, libxml2, zlib])
    # Somebody did notice this one, and patched it by hand.
    resolver = fetch("CVE-2021-23017.patch", "https://nginx.org/download/patch.2021.resolver.txt")
    nginx = package("nginx", "1.18.0", "https://nginx.org/download/nginx-1.18.0.tar.gz", [openssl, zlib], [resolver])
    sudo = package("sudo", "1.8.31p1", "https://www.sudo.ws/dist/sudo-1.8.31p1.tar.gz", [zlib])
    portal = package("portal", "2.3.1", "https://git.example.org/portal/archive/v2.3.1.tar.gz", [php])
    return {"portal": portal, "nginx": nginx, "sudo": sudo}


def system():
    new, old = stable(), legacy()
    path = Derivation("system-path", [*(new[name] for name in ("bash", "curl", "git", "openssh", "rtmpdump", "unzip")), old["sudo"]],
                      environment={"buildCommand": "link everything", "preferLocalBuild": "1"})
    units = Derivation("etc", [
        unit("nginx", new["nginx"]),
        unit("sshd", new["openssh"]),
        unit("postgresql", new["postgresql"]),
        unit("portal", old["portal"], old["nginx"]),
    ], environment={"buildCommand": "link units", "preferLocalBuild": "1"})
    Derivation("nixos-system-web-23.11", [path, units, new["linux"], new["systemd"]],
               environment={"buildCommand": "assemble", "preferLocalBuild": "1"})


def main():
    system()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for path, derivation in sorted(derivations.items()):
        (FOLDER / path.rsplit("/", 1)[1]).write_text(derivation.text())
    print(f"{len(derivations)} derivations in {FOLDER.name}/")


if __name__ == "__main__":
    main()
