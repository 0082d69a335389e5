"""Certificates of every kind, made apart from telecine's own."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from telecine import Provenance

Key: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

MADE_BY_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
TODAY = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
DOCUMENTS = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
KEYS: Mapping[str, Callable[[], Key]] = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "es512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ps256": lambda: rsa.generate_private_key(65537, 2048),
    "ps384": lambda: rsa.generate_private_key(65537, 2048),
    "ps512": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


@dataclass(frozen=True)
class Identity:
    """A key, the certificate that a root of its own issued for it, and that root."""

    key: Key
    certificate: x509.Certificate
    root: x509.Certificate

    @property
    def chain(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def anchors(self) -> bytes:
        return self.root.public_bytes(Encoding.PEM)

    def pem(self, password: bytes | None = None) -> bytes:
        hidden = NoEncryption() if password is None else BestAvailableEncryption(password)
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden)


def identity(
    kind: str = "es256",
    begins: datetime.datetime = TODAY - DAY,
    ends: datetime.datetime = TODAY + DAY,
    use: ObjectIdentifier = DOCUMENTS,
    ocsp: str | None = None,
    signer: str = "Test signer",
) -> Identity:
    """Make a root, and a certificate for a key of some kind and use."""
    issuer_key = ec.generate_private_key(ec.SECP256R1())
    key = KEYS[kind]()
    root_name, name = _name("Test root"), _name(signer)
    root = (
        _begun(root_name, root_name, issuer_key, begins, ends)
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .add_extension(_usage(key_cert_sign=True), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    builder = (
        _begun(name, root_name, key, begins, ends)
        .add_extension(x509.BasicConstraints(False, None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=use == ExtendedKeyUsageOID.TIME_STAMPING)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if ocsp is not None:
        place = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp))
        builder = builder.add_extension(x509.AuthorityInformationAccess([place]), critical=False)
    return Identity(key, builder.sign(issuer_key, hashes.SHA256()), root)


def _name(common: str) -> x509.Name:
    names = {NameOID.ORGANIZATION_NAME: "Tests", NameOID.COMMON_NAME: common}
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in names.items()])


def _begun(
    subject: x509.Name, issuer: x509.Name, key: Key, begins: datetime.datetime, ends: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(**uses: bool) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**dict.fromkeys(every, False) | uses)


def by(me: Identity, **said: Any) -> Provenance:
    """What an export is told, for this identity to sign it."""
    return Provenance(certificate=me.chain, private_key=me.pem(), **said)
