"""The player's own certificate, made by itself, for pages on the store's network.

Nobody vouches for it: whoever pairs compares its fingerprint with the one that the player's machine
prints, once, and a program pins it.
"""

import datetime as dt
import ipaddress
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signage.errors import PairingError

#: A screen hangs for years; a new certificate means pairing anew.
_DAYS = 5 * 365


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key, as files; `fingerprint` is the SHA-256 of the certificate."""

    certificate: Path
    key: Path
    fingerprint: str


def own_certificate(folder: Path, host: str, now: dt.datetime) -> Certificate:
    """The certificate in `folder`, made where there is none yet or it has expired.

    Raises:
        PairingError: it cannot be read or written.
    """
    certificate, key = folder / "certificate.pem", folder / "certificate.key"
    try:
        if not (certificate.exists() and key.exists()) or _expired(certificate, now):
            folder.mkdir(parents=True, exist_ok=True)
            _make(certificate, key, host, now)
        held = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise PairingError(
            f"{certificate}: the player's certificate cannot be used ({error}); remove it, and "
            "another one is made"
        ) from error
    return Certificate(certificate, key, held.fingerprint(hashes.SHA256()).hex(":").upper())


def _expired(path: Path, now: dt.datetime) -> bool:
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc <= now


def _make(certificate: Path, key_file: Path, host: str, now: dt.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())  # browsers do not take Ed25519 here
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "smartstore player")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # a page's clock may be behind
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    opened = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "wb") as file:
        file.write(private)
    certificate.write_bytes(made.public_bytes(Encoding.PEM))


def _names(host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName(socket.gethostname())]
    for address in {"127.0.0.1", host, lan_address()}:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(address)))
        except ValueError:
            names.append(x509.DNSName(address))
    return names


def lan_address() -> str:
    """This machine's address on the store's network; loopback where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address: nothing is sent
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
