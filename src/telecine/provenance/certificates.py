"""The certificate and the key that sign a manifest: read and checked, or made for development.

A key is in memory only: no message names what is in it, no `repr` shows it, and it never reaches the C2PA library,
which calls back for each signature.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..errors import MissingDependencyError, OptionError
from ..support.words import shell_word

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes
    from cryptography.x509 import Certificate

Pem: TypeAlias = "str | os.PathLike[str] | bytes"
Signer: TypeAlias = Callable[[bytes], bytes]

# C2PA 2.2, 13.2.1: what signs, by the key of the certificate.
_OF_CURVE = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_OF_RSA = ("ps256", "ps384", "ps512")
_READABLE_BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_A_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Credentials:
    """What signs: the chain in PEM, the signer's certificate first, the algorithm, and the signature of some bytes."""

    chain: str
    algorithm: str
    sign: Signer = field(repr=False)


# ---- read ----------------------------------------------------------------------------------------------------------


def load_credentials(
    certificate: Pem, private_key: Pem | None = None, signer: Signer | None = None, algorithm: str | None = None
) -> Credentials:
    """Read a chain of certificates and what signs for it: a private key, or a function of bytes to their signature.

    Raises:
        OptionError: one can't be read, the key's file is open to others, the key is not the certificate's, or that is
            not valid today.
        MissingDependencyError: `cryptography` is missing.
    """
    _require("cryptography")
    if (private_key is None) == (signer is None):
        raise OptionError("a signature takes private_key= or signer=: give one of the two")
    chain = _certificates("certificate", certificate)
    _check_dates(chain[0])
    chosen = _algorithm(chain[0].public_key(), algorithm)
    if signer is None:
        assert private_key is not None
        key = _private_key(private_key)
        if _public_bytes(key.public_key()) != _public_bytes(chain[0].public_key()):
            raise OptionError("the private key is not that of the certificate, which comes first in its file")
        signer = _signer(key, chosen)
    return Credentials(_pem(chain), chosen, signer)


def load_trust_anchors(given: Pem) -> str:
    """Read the certificates that stand for signers, in PEM.

    Raises:
        OptionError: they can't be read, or there is none.
        MissingDependencyError: `cryptography` is missing.
    """
    _require("cryptography")
    return _pem(_certificates("trust anchors", given))


def _require(package: str) -> None:
    import importlib.util  # start-up: few sign

    if importlib.util.find_spec(package) is None:
        raise MissingDependencyError(f"provenance needs {package}: pip install 'telecine[c2pa]'")


def _certificates(what: str, given: Pem) -> list[Certificate]:
    from cryptography import x509

    data = given if isinstance(given, bytes) else _read(what, given)
    with contextlib.suppress(ValueError):
        return x509.load_pem_x509_certificates(data)
    raise OptionError(f"what is given for the {what} holds no certificates in PEM")


def _private_key(given: Pem) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = given if isinstance(given, bytes) else _read("private key", given, secret=True)
    # What these say is not repeated, nor chained: it may quote the key.
    with contextlib.suppress(ValueError, UnsupportedAlgorithm, TypeError):
        return load_pem_private_key(data, password=None)
    if b"ENCRYPTED" in data:
        raise OptionError("the private key is encrypted: decrypt it, or sign by signer=")
    raise OptionError("the private key is none in PEM")


def _read(what: str, path: str | os.PathLike[str], secret: bool = False) -> bytes:
    """Read a file; a path that leads to none is not repeated, for it may be the key itself."""
    reason = ""
    try:
        with open(path, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if secret and os.name == "posix" and mode & _READABLE_BY_OTHERS:
                name = os.fsdecode(path)
                raise OptionError(
                    f"the private key {name!r} is open to others ({mode:04o}): chmod 600 {shell_word(name)}"
                )
            return file.read()
    except OptionError:
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except (ValueError, TypeError):
        reason = "it is no path"
    raise OptionError(f"the file of the {what} can't be read: {reason}")


def _check_dates(certificate: Certificate) -> None:
    now = datetime.datetime.now(datetime.UTC)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > ends:
        raise OptionError(f"the certificate expired on {ends:%Y-%m-%d}: sign with one that is valid")
    if now < begins:
        raise OptionError(f"the certificate is valid from {begins:%Y-%m-%d %H:%M} UTC on, which is yet to come")


def _algorithm(key: CertificatePublicKeyTypes, given: str | None) -> str:
    """Give the name of what signs with a key, the first that fits unless one is given."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    fitting: tuple[str, ...] = ()
    if isinstance(key, ec.EllipticCurvePublicKey):
        fitting = tuple(filter(None, [_OF_CURVE.get(key.curve.name)]))
    elif isinstance(key, rsa.RSAPublicKey):
        fitting = _OF_RSA
    elif isinstance(key, ed25519.Ed25519PublicKey):
        fitting = ("ed25519",)
    if not fitting:
        raise OptionError("the certificate's key is none that C2PA takes: P-256, P-384, P-521, RSA or Ed25519")
    if given is None:
        return fitting[0]
    if given not in fitting:
        raise OptionError(f"algorithm={given!r} is not the certificate's: use {' or '.join(map(repr, fitting))}")
    return given


def _signer(key: PrivateKeyTypes, algorithm: str) -> Signer:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    bits: Mapping[str, hashes.HashAlgorithm] = {
        "256": hashes.SHA256(),
        "384": hashes.SHA384(),
        "512": hashes.SHA512(),
    }
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign
    digest = bits[algorithm[2:]]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return lambda data: key.sign(data, ec.ECDSA(digest))
    assert isinstance(key, rsa.RSAPrivateKey)
    salted = padding.PSS(padding.MGF1(digest), digest.digest_size)
    return lambda data: key.sign(data, salted, digest)


def _public_bytes(key: object) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return encoded


def _pem(chain: list[Certificate]) -> str:
    """Encode the certificates anew: a key that lies in the same file stays there."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return "".join(each.public_bytes(Encoding.PEM).decode() for each in chain)


# ---- made for development ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DevelopmentFiles:
    """Where a development chain lies: what signs, and the root that `show --trust` takes."""

    certificate: Path
    private_key: Path
    root: Path


def make_development_chain(folder: str | os.PathLike[str], days: int = 365) -> DevelopmentFiles:
    """Make a certificate, its key and its root, which nobody trusts; the keys of root and intermediate are not kept.

    Raises:
        OptionError: one of the files exists, or can't be written.
        MissingDependencyError: `cryptography` is missing.
    """
    _require("cryptography")
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    place = Path(folder)
    files = DevelopmentFiles(place / "certificate.pem", place / "private-key.pem", place / "root.pem")
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    root = _issue("root", keys[0], None, keys[0], days, below=1)
    intermediate = _issue("intermediate", keys[1], root, keys[0], days, below=0)
    leaf = _issue("signer", keys[2], intermediate, keys[1], days)
    secret = keys[2].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        place.mkdir(parents=True, exist_ok=True)
        # The key first, and for its owner alone from its first byte on.
        _write_new(files.private_key, secret, 0o600)
        _write_new(files.certificate, _pem([leaf, intermediate]).encode(), 0o644)
        _write_new(files.root, _pem([root]).encode(), 0o644)
    except FileExistsError as error:
        raise OptionError(f"{error.filename!r} exists: name another folder") from None
    except OSError as error:
        raise OptionError(f"{os.fspath(place)!r} can't be written: {error.strerror}") from None
    return files


def _write_new(path: Path, data: bytes, mode: int) -> None:
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(data)


def _issue(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    days: int,
    below: int | None = None,
) -> Certificate:
    """Issue a certificate as C2PA 2.2, 14.5.1 asks; with `below`, of an authority with so many more below it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "For development: trusted by nobody"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"telecine development {name}"),
        ]
    )
    now, authority = datetime.datetime.now(datetime.UTC), below is not None
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _A_DAY)  # clocks differ
        .not_valid_after(now + days * _A_DAY)
        .add_extension(x509.BasicConstraints(authority, below), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **usage),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not authority:
        signing = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(signing, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
