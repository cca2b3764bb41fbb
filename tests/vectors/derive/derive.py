"""The derivation "aux-derive v1" written a second time, from docs/formats/derivation.md alone.

    python3 derive.py [vectors.json]

computes every case of the vectors and says which differ. Needs the library `cryptography`, 45 or newer, and the system's
libcrypt for the hashes of passwords."""

import base64
import ctypes
import ctypes.util
import datetime
import hashlib
import hmac
import ipaddress
import json
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
CRYPT_DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def enc(*fields):
    parts = b""
    for field in fields:
        if isinstance(field, int):
            field = field.to_bytes(4, "big")
        elif isinstance(field, str):
            field = field.encode()
        parts += len(field).to_bytes(2, "big") + field
    return parts


def expand(key, length, *fields):
    return HKDFExpand(hashes.SHA256(), length, enc("aux/v1", *fields)).derive(key)


def root(seed, fleet, epoch):
    salt = b"aux/v1/root" + fleet + epoch.to_bytes(4, "big")
    return hmac.new(salt, seed, hashlib.sha256).digest()


class Stream:
    def __init__(self, leaf):
        self.cipher = Cipher(algorithms.ChaCha20(leaf, bytes(16)), None).encryptor()

    def take(self, length):
        return self.cipher.update(bytes(length))

    def byte(self):
        return self.take(1)[0]


def pem(label, der, width=64):
    text = base64.b64encode(der).decode()
    lines = [text[start : start + width] for start in range(0, len(text), width)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def bech32(human, data):
    digits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    values = [int(bits[start : start + 5], 2) for start in range(0, len(bits), 5)]

    def polymod(values):
        check = 1
        for value in values:
            top = check >> 25
            check = (check & 0x1FFFFFF) << 5 ^ value
            for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                check ^= generator if top >> bit & 1 else 0
        return check

    expanded = [ord(letter) >> 5 for letter in human] + [0] + [ord(letter) & 31 for letter in human]
    remainder = polymod(expanded + values + [0] * 6) ^ 1
    values += [remainder >> 5 * (5 - index) & 31 for index in range(6)]
    return human + "1" + "".join(digits[value] for value in values)


def uuid(stream):
    number = bytearray(stream.take(16))
    number[6] = number[6] & 0x0F | 0x40
    number[8] = number[8] & 0x3F | 0x80
    text = number.hex()
    return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])


def password(stream, rule):
    alphabet = rule.get("alphabet", LETTERS)
    limit = 256 - 256 % len(alphabet)
    classes = {
        "min_lower": str.islower,
        "min_upper": str.isupper,
        "min_digit": str.isdigit,
        "min_symbol": lambda letter: not letter.isalnum(),
    }
    for _ in range(1 << 16):
        text = ""
        while len(text) < rule.get("length", 32):
            byte = stream.byte()
            if byte < limit:
                text += alphabet[byte % len(alphabet)]
        if all(sum(map(is_class, text)) >= rule.get(name, 0) for name, is_class in classes.items()):
            return text
    raise ValueError("no password meets the rule")


def passphrase(stream, words):
    consonants, vowels = "bdfghjklmnprstvz", "aiou"
    text = []
    for _ in range(words):
        word = int.from_bytes(stream.take(2), "big")
        text.append(
            consonants[word >> 12]
            + vowels[word >> 10 & 3]
            + consonants[word >> 6 & 15]
            + vowels[word >> 4 & 3]
            + consonants[word & 15]
        )
    return "-".join(text)


def raw_public(key):
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def ssh_string(data):
    return len(data).to_bytes(4, "big") + data


def ssh(stream, name):
    seed, check = stream.take(32), stream.take(4)
    public = raw_public(ed25519.Ed25519PrivateKey.from_private_bytes(seed))
    blob = ssh_string(b"ssh-ed25519") + ssh_string(public)
    private = check * 2 + blob + ssh_string(seed + public) + ssh_string(name.encode())
    private += bytes(range(1, -len(private) % 8 + 1))
    whole = b"openssh-key-v1\0" + ssh_string(b"none") * 2 + ssh_string(b"") + (1).to_bytes(4, "big")
    whole += ssh_string(blob) + ssh_string(private)
    return pem("OPENSSH PRIVATE KEY", whole, 70), f"ssh-ed25519 {base64.b64encode(blob).decode()} {name}"


def clamped(key):
    return bytes([key[0] & 248]) + key[1:31] + bytes([key[31] & 127 | 64])


def x25519_public(key):
    return raw_public(x25519.X25519PrivateKey.from_private_bytes(key))


def p256(stream):
    scalar = int.from_bytes(stream.take(48), "big") % (P256_ORDER - 1) + 1
    return ec.derive_private_key(scalar, ec.SECP256R1())


def pkcs8(key):
    encoding, no = serialization.Encoding.PEM, serialization.NoEncryption()
    return key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no).decode()


def spki(key, encoding=serialization.Encoding.PEM):
    return key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


def tls_key(stream, rule):
    if rule.get("algorithm", "p256") == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(stream.take(32))
    return p256(stream)


def identifier(key):
    if isinstance(key, ed25519.Ed25519PrivateKey):
        point = raw_public(key)
    else:
        form = serialization.PublicFormat.UncompressedPoint
        point = key.public_key().public_bytes(serialization.Encoding.X962, form)
    return hashlib.sha256(point).digest()[:20]


def subject(case):
    text = case["parameters"].get("common_name", case["name"]).replace("{machine}", case.get("owner") or "")
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def certificate(case, key, check, ca=None, ca_key=None):
    rule = case["parameters"]
    begin = datetime.datetime.fromisoformat(rule["not_before"])
    end = begin + datetime.timedelta(days=rule.get("days", 397 if ca else 3650))
    usage = dict.fromkeys(
        ("digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
         "encipher_only decipher_only").split(), False)
    usage |= {"digital_signature": True} if ca else {"key_cert_sign": True, "crl_sign": True}
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject(case))
        .issuer_name(subject(ca or case))
        .public_key(key.public_key())
        .serial_number(int.from_bytes(check, "big"))
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca is None, None if ca else 0), True)
        .add_extension(x509.KeyUsage(**usage), True)
    )
    if ca:
        purposes = [x509.ExtendedKeyUsageOID.SERVER_AUTH, x509.ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), False)
    builder = builder.add_extension(x509.SubjectKeyIdentifier(identifier(key)), False)
    if ca:
        builder = builder.add_extension(x509.AuthorityKeyIdentifier(identifier(ca_key), None, None), False)
    names = [x509.DNSName(name.replace("{machine}", case["owner"] or "")) for name in rule.get("dns", [])]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in rule.get("ip", [])]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    signer = ca_key or key
    if isinstance(signer, ed25519.Ed25519PrivateKey):
        made = builder.sign(signer, None)
    else:
        made = builder.sign(signer, hashes.SHA256(), ecdsa_deterministic=True)
    return made.public_bytes(serialization.Encoding.PEM).decode()


def crypt_text(data):
    text = ""
    for start in range(0, len(data), 3):
        three = data[start : start + 3]
        value = int.from_bytes(three, "little")
        text += "".join(CRYPT_DIGITS[value >> 6 * digit & 63] for digit in range(len(three) + 1))
    return text


def crypt(text, setting):
    library = ctypes.CDLL(ctypes.util.find_library("crypt"))
    library.crypt.restype = ctypes.c_char_p
    return library.crypt(text.encode(), setting.encode()).decode()


def bcrypt_setting(salt, cost, version):
    digits = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    usual = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    text = base64.b64encode(salt).decode().rstrip("=")
    return f"${version}${cost:02}$" + text.translate(str.maketrans(usual, digits))


def hashed(stream, kind, rule, text):
    if kind == "sha512crypt":
        salt = "".join(CRYPT_DIGITS[byte & 63] for byte in stream.take(16))
        rounds = rule.get("rounds", 5000)
        return crypt(text, "$6$" + (f"rounds={rounds}$" if rounds != 5000 else "") + salt)
    salt = stream.take(16)
    if kind == "yescrypt":
        return crypt(text, "$y$j9T$" + crypt_text(salt))
    if kind == "argon2id":
        made = Argon2id(salt=salt, length=32, iterations=3, lanes=4, memory_cost=65536).derive(text.encode())
        plain = [base64.b64encode(part).decode().rstrip("=") for part in (salt, made)]
        return "$argon2id$v=19$m=65536,t=3,p=4$" + "$".join(plain)
    if kind == "htpasswd":
        return rule["user"] + ":" + crypt(text, bcrypt_setting(salt, rule.get("cost", 10), "2y"))
    return crypt(text, bcrypt_setting(salt, rule.get("cost", 10), "2b"))


def leaf_of(root_key, case):
    key = root_key
    for kind, label, generation in case["path"]:
        key = expand(key, 32, kind, label, generation)
    return expand(key, 32, "secret", case["name"], case["type"], case["version"])


def derive(root_key, case, cases):
    """The value and the public half."""
    leaf, rule, kind = leaf_of(root_key, case), case["parameters"], case["type"].split("@")[0]
    stream = Stream(leaf)
    length = rule.get("length", 32)
    if kind == "bytes":
        return stream.take(length).hex(), None
    if kind == "hex":
        return stream.take(length).hex(), None
    if kind == "base64":
        return base64.b64encode(stream.take(length)).decode(), None
    if kind == "base64url":
        return base64.urlsafe_b64encode(stream.take(length)).decode().rstrip("="), None
    if kind == "uuid":
        return uuid(stream), None
    if kind == "password":
        return password(stream, rule), None
    if kind == "passphrase":
        return passphrase(stream, rule.get("words", 6)), None
    if kind == "ssh-ed25519":
        return ssh(stream, case["name"])
    if kind == "wireguard":
        key = clamped(stream.take(32))
        return base64.b64encode(key).decode(), base64.b64encode(x25519_public(key)).decode()
    if kind == "wireguard-psk":
        return base64.b64encode(stream.take(32)).decode(), None
    if kind == "age-x25519":
        key = stream.take(32)
        return bech32("age-secret-key-", key).upper(), bech32("age", x25519_public(key))
    if kind == "p256":
        key = p256(stream)
        return pkcs8(key), spki(key).decode()
    check = expand(leaf, 8, "check")
    if kind == "tls-ca":
        key = tls_key(stream, rule)
        return pkcs8(key), certificate(case, key, check)
    if kind == "tls-leaf":
        key = tls_key(stream, rule)
        ca = next(other for other in cases if other["name"] == rule["ca"])
        ca_key = tls_key(Stream(leaf_of(root_key, ca)), ca["parameters"])
        return pkcs8(key), certificate(case, key, check, ca, ca_key)
    line = hashed(stream, kind, rule, case["others"][rule["of"]])
    return line, line if rule.get("publish") else None


def main():
    beside = pathlib.Path(__file__).with_name("vectors.json")
    document = json.loads(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else beside).read_text())
    root_key = root(bytes.fromhex(document["seed"]), bytes.fromhex(document["fleet"]), document["epoch"])
    wrong = 0 if root_key.hex() == document["root"] else 1
    for case in document["cases"]:
        value, public = derive(root_key, case, document["cases"])
        check = expand(leaf_of(root_key, case), 8, "check").hex()
        for what, ours in (("value", value), ("public", public), ("check", check)):
            if ours != case[what]:
                wrong += 1
                print(f"{case['name']} ({case['type']}): {what} differs\n  there {case[what]!r}\n  here  {ours!r}")
    print(f"{len(document['cases'])} cases, {wrong} differ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
