"""What a file is to say of where it came from, and the signing of that: a C2PA manifest in the finished file.

Nothing is left to the end that can fail before: `seal_of` reads the key, opens the ingredients and signs a picture of
one pixel, with the same manifest and the same time-stamp authority.
"""

from __future__ import annotations

import io
import json
import mimetypes
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from ..errors import InputError, OptionError, ProvenanceError
from ..files.files import opened_file
from ..formats.choices import AlgorithmName
from ..publish.publication import Publication
from ..support.native_calls import run_apart
from .certificates import Credentials, Pem, Signer, load_credentials
from .report import MEDIA_TYPES, PROMPT_TYPE, UNHASHED_LABEL, library, read_manifest, settings
from .unhashed import append_checksum, digest_of_unhashed

_BOXED = {"video/mp4", "video/quicktime", "image/avif"}
_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_SOURCE_TYPES = (
    "trainedAlgorithmicMedia",
    "compositeWithTrainedAlgorithmicMedia",
    "algorithmicallyEnhanced",
    "algorithmicMedia",
    "compositeSynthetic",
    "compositeCapture",
    "composite",
    "dataDrivenMedia",
    "digitalCapture",
    "digitalCreation",
    "humanEdits",
    "screenCapture",
    "virtualRecording",
)
_EXPECTED = ("signingCredential.untrusted", "timeStamp.untrusted")  # without trust anchors nobody is trusted
_PIXEL = bytes.fromhex(  # a PNG of one black pixel
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c6360000000020001e527d4a20000000049454e44ae426082"
)


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a signed manifest says, and what signs it. Its `repr` shows no key.

    Args:
        certificate: The chain in PEM, the signer's certificate first: a path, or bytes.
        private_key: The signer's key in PEM: a path that nobody else can read, or bytes.
        signer: In place of a key, a function that gives the signature of some bytes, called in a thread of its own.
        algorithm: "es256", "es384", "es512", "ps256", "ps384", "ps512" or "ed25519". Without one, what fits the
            certificate.
        generator: The program that makes the file.
        generator_version: Its version.
        model: The model that made the frames.
        prompt: What the model was asked for. It is in the file only if it is given here.
        title: The file's title. Without one, its name.
        digital_source_type: IPTC's name for how the frames came to be, or an address in place of one of its names.
        parent: The file of which this one is an edit, as in video-to-video: the manifest says `c2pa.opened` and
            `c2pa.edited` in place of `c2pa.created`.
        inputs: Other files that went in, such as the picture of image-to-video.
        time_stamp_authority: The address of an RFC 3161 service that signs when this is signed. Without one, nothing
            reaches the network.

    Raises:
        OptionError: `inputs` is one path.

    >>> Provenance(certificate="chain.pem", private_key="key.pem", model="CogVideoX-5b")
    Provenance(generator='telecine', model='CogVideoX-5b', digital_source_type='trainedAlgorithmicMedia')
    """

    certificate: Pem
    private_key: Pem | None = None
    signer: Signer | None = None
    algorithm: AlgorithmName | None = None
    generator: str = "telecine"
    generator_version: str | None = None
    model: str | None = None
    prompt: str | None = None
    title: str | None = None
    digital_source_type: str = "trainedAlgorithmicMedia"
    parent: str | os.PathLike[str] | None = None
    inputs: Sequence[str | os.PathLike[str]] = ()
    time_stamp_authority: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.inputs, (str, bytes, os.PathLike)):
            raise OptionError(f"inputs={self.inputs!r} is one path: give a list of paths")
        object.__setattr__(self, "inputs", tuple(self.inputs))  # the caller's list may change

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in ("generator", "model", "digital_source_type")}
        return f"Provenance({', '.join(f'{name}={value!r}' for name, value in shown.items() if value is not None)})"


def seal_of(provenance: Provenance, container: str) -> Seal:
    """Read all that signing a file takes, and prove it by a trial.

    Args:
        provenance: What to say, and what signs.
        container: The kind of file, such as "mp4".

    Raises:
        OptionError: the container holds no manifest, a file can't be read, or the trial fails.
        MissingDependencyError: the extra `c2pa` is missing.
    """
    if not isinstance(provenance, Provenance):
        raise OptionError(f"provenance={type(provenance).__name__} is none: give a telecine.Provenance")
    if f".{container}" not in MEDIA_TYPES:
        raise OptionError(f"{container} has no place for a C2PA manifest: use mp4, mov, webp, png, gif or avif")
    library()
    authority = provenance.time_stamp_authority
    if authority is not None and not (urlsplit(authority).scheme in ("http", "https") and urlsplit(authority).netloc):
        raise OptionError(f"time_stamp_authority={authority!r} is no address: use one that begins with https://")
    _source_type(provenance.digital_source_type)
    credentials = load_credentials(
        provenance.certificate, provenance.private_key, provenance.signer, provenance.algorithm
    )
    try:
        Seal(provenance, credentials, "image/png").sign(io.BytesIO(_PIXEL), "trial")
    except ProvenanceError as error:
        raise OptionError(f"provenance can't sign: {error}") from error.__cause__
    return Seal(provenance, credentials, MEDIA_TYPES[f".{container}"])


@dataclass(frozen=True)
class Seal:
    """What signs files of one media type."""

    provenance: Provenance
    credentials: Credentials
    media_type: str

    def sign_finished(self, publication: Publication) -> None:
        """Sign the finished file of a publication.

        Raises:
            ProvenanceError: it can't be signed.
            PublishError: the disk failed.
        """
        file = publication.finished
        try:
            self.sign(file, publication.title, os.path.dirname(file.name))
        except OSError as error:
            raise publication.failure(error) from error

    def sign(self, file: BinaryIO, name: str, folder: str | None = None) -> None:
        """Sign an open file in its place; before it changes, what is signed is read back.

        Args:
            file: Open for reading and writing.
            name: What the manifest calls it, unless the provenance has a title.
            folder: Where a nameless copy lies meanwhile.

        Raises:
            ProvenanceError: it can't be signed.
            OSError: the disk failed.
        """
        with tempfile.TemporaryFile(dir=folder) as temporary:
            signed = cast(BinaryIO, temporary)
            run_apart(lambda source, target: self._sign(source, target, name), file, signed)
            signed.seek(0)
            file.seek(0)
            shutil.copyfileobj(signed, file, 1 << 20)
            file.truncate()

    def _sign(self, source: BinaryIO, target: BinaryIO, name: str) -> None:
        self._write(source, target, name)
        if self.media_type in _BOXED:
            append_checksum(target)
        report = read_manifest(target, self.media_type)
        problems = [each for each in report.problems if not each.startswith(_EXPECTED)]
        if problems or report.state not in ("valid", "valid but untrusted"):
            raise ProvenanceError(f"the signature does not hold: {'; '.join(problems) or report.state}")

    def _write(self, source: BinaryIO, target: BinaryIO, name: str) -> None:
        c2pa = library()
        authority = self.provenance.time_stamp_authority
        failed: list[Exception] = []

        def sign(data: bytes) -> bytes:
            try:
                return self.credentials.sign(data)
            except Exception as error:  # the library would log what it says
                failed.append(error)
                return b""

        try:
            algorithm = c2pa.C2paSigningAlg[self.credentials.algorithm.upper()]
            with (
                c2pa.Signer.from_callback(sign, algorithm, self.credentials.chain, authority) as signer,
                c2pa.Context.from_dict(settings(authority)) as context,
                c2pa.Builder(self._manifest(source, name), context) as builder,
            ):
                self._add_ingredients(builder)
                source.seek(0)
                builder.sign(signer, self.media_type, source, target)
            return
        except c2pa.C2paError as error:
            said = " ".join(str(error).split())
        if failed:
            raise ProvenanceError(f"the signer raised {type(failed[0]).__name__}") from failed[0]
        raise ProvenanceError(said)

    def _manifest(self, file: BinaryIO, name: str) -> dict[str, Any]:
        """Give the manifest as the library takes it."""
        given = self.provenance
        made: dict[str, Any] = {
            "action": "c2pa.created" if given.parent is None else "c2pa.edited",
            "digitalSourceType": _source_type(given.digital_source_type),
        }
        if given.model is not None:
            made["softwareAgent"] = {"name": given.model}
        labels = [label for label, _, relationship in self._files() if relationship == "inputTo"]
        labels += ["prompt"] if given.prompt is not None else []
        if labels:
            made["parameters"] = {"ingredientIds": labels}
        opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["parent"]}}
        assertions = [_assertion("c2pa.actions.v2", actions=[made] if given.parent is None else [opened, made])]
        if self.media_type in _BOXED:
            assertions.append(_assertion(UNHASHED_LABEL, sha256=digest_of_unhashed(file)))
        prompt = {
            "label": "prompt",
            "title": "prompt",
            "format": "text/plain",
            "relationship": "inputTo",
            "data": {"format": "text/plain", "identifier": "prompt.txt"},
            "data_types": [{"type": PROMPT_TYPE}],
        }
        return {
            "title": _text(name if given.title is None else given.title),
            "format": self.media_type,
            "claim_generator_info": [_generator(given)],
            "assertions": assertions,
            "ingredients": [] if given.prompt is None else [prompt],
        }

    def _add_ingredients(self, builder: Any) -> None:
        for label, path, relationship in self._files():
            described = {"label": label, "title": _text(os.path.basename(path)), "relationship": relationship}
            kind = MEDIA_TYPES.get(os.path.splitext(path)[1].lower()) or mimetypes.guess_type(path)[0]
            try:
                with opened_file(path) as file:
                    builder.add_ingredient(json.dumps(described), kind or "application/octet-stream", file)
            except InputError as error:
                raise ProvenanceError(f"the ingredient {error}") from error
            except (OSError, ValueError, library().C2paError) as error:
                raise ProvenanceError(f"the ingredient {path!r} can't be read: {error}") from error
        if self.provenance.prompt is not None:
            builder.add_resource("prompt.txt", io.BytesIO(self.provenance.prompt.encode("utf-8", "replace")))

    def _files(self) -> Iterator[tuple[str, str, str]]:
        """Give label, path and relationship of the files that went in."""
        if self.provenance.parent is not None:
            yield "parent", str(os.fsdecode(self.provenance.parent)), "parentOf"
        for index, path in enumerate(self.provenance.inputs):
            yield f"input-{index}", str(os.fsdecode(path)), "inputTo"


def _source_type(given: str) -> str:
    if given in _SOURCE_TYPES:
        return _IPTC + given
    if urlsplit(given).scheme in ("http", "https"):
        return given
    raise OptionError(f"digital_source_type={given!r} is not known: use {' or '.join(map(repr, _SOURCE_TYPES))}")


def _text(name: str) -> str:
    """Replace what a file's name may have and Unicode text may not."""
    return name.encode("utf-8", "replace").decode()


def _assertion(label: str, **data: object) -> dict[str, Any]:
    return {"label": label, "data": data, "created": True}


def _generator(provenance: Provenance) -> dict[str, str]:
    version = provenance.generator_version
    if version is None and provenance.generator == "telecine":
        from importlib.metadata import version as version_of  # start-up: few sign

        version = version_of("telecine")
    return {"name": provenance.generator} | ({} if version is None else {"version": version})
