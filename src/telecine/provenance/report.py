"""What a file's C2PA manifest says, and whether it still holds.

The standard is at spec.c2pa.org; the library that knows it, `c2pa-python`, is imported where it is used. Reading
reaches no network.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias
from urllib.parse import urlsplit

from ..container.boxes import children, file_box
from ..errors import InputError, MissingDependencyError
from ..files.files import Place, name_of, opened_file, path_of, said_of, source_of
from ..files.urls import StorageOptions
from ..support.native_calls import run_apart
from .certificates import Pem, load_trust_anchors
from .unhashed import checksum_holds, digest_of_unhashed

State: TypeAlias = Literal["no manifest", "valid but untrusted", "valid", "tampered"]
Json: TypeAlias = Mapping[str, Any]

# What C2PA knows of what telecine writes (c2pa-rs, docs/supported-formats.md): Matroska and WebM have no place for it.
MEDIA_TYPES: Mapping[str, str] = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webp": "image/webp",
    ".png": "image/png",
    ".apng": "image/png",
    ".gif": "image/gif",
    ".avif": "image/avif",
}
UNHASHED_LABEL = "telecine.unhashed-boxes"
PROMPT_TYPE = "c2pa.types.generator.prompt"

# The types of the boxes that a manifest is made of (C2PA 2.2, 11.1.4): of several, one flipped byte leaves one whole.
_TRACES = re.compile(rb"c2(?:pa|ma|cl|as|cs)\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71")
_LONGEST_PART, _PIECE = 15, 1 << 20  # bytes: of a trace that goes on in the next piece
# What a certificate may be for (C2PA 2.2, 14.4.1): e-mail, documents, time-stamps, OCSP, Microsoft's and C2PA's own.
_USES = """
1.3.6.1.5.5.7.3.4
1.3.6.1.5.5.7.3.36
1.3.6.1.5.5.7.3.8
1.3.6.1.5.5.7.3.9
1.3.6.1.4.1.311.76.59.1.9
1.3.6.1.4.1.62558.2.1
"""
# Those that the library steps into, and how many take it seconds: a recording in fragments has that of half a day.
_HOLD_BOXES = set(b"moov trak mdia minf stbl dinf edts udta meta moof traf mvex mfra sinf schi iprp".split())
_MOST_BOXES = 1 << 16
_IN_MEMORY = 16  # MiB; the library's copies of a larger file are on the disk
_ABOUT_THE_SIGNER = ("signingCredential.", "timeStamp.untrusted", "timeStamp.outsideValidity")


@dataclass(frozen=True)
class ProvenanceReport:
    """What `read_provenance` finds.

    `state` is "no manifest"; "tampered": what is in the file is not what was signed; "valid but untrusted": it is, but
    no trust anchor stands for who signed, or the certificate was not valid then; or "valid". What a tampered manifest
    says is worth nothing. `actions` are C2PA's, such as "c2pa.created"; `ingredients` are the files that went in;
    `signed_at` is what a time-stamp authority signed; `manifest` is all that the library reads.
    """

    path: Path
    state: State
    problems: tuple[str, ...] = ()
    title: str | None = None
    generator: str | None = None
    actions: tuple[str, ...] = ()
    digital_source_types: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    prompt: str | None = None
    ingredients: tuple[str, ...] = ()
    signed_by: str | None = None
    signed_at: str | None = None
    manifest: Json = field(default_factory=dict, repr=False)


def read_provenance(
    path: Place, trust_anchors: Pem | None = None, *, storage_options: StorageOptions | None = None
) -> ProvenanceReport:
    """Read a file's C2PA manifest, and tell whether the file is what was signed, and whether the signer is trusted.

    Args:
        path: The file's path or URL, or the open file.
        trust_anchors: Certificates in PEM, a path or bytes, that stand for signers. Without any, nobody is trusted.
        storage_options: What the store of a URL is opened with, as for `export_video`.

    Raises:
        InputError: the file can't be read.
        OptionError: the trust anchors hold no certificate, or the storage options go with no URL.
        MissingDependencyError: the extra `c2pa` is missing.
    """
    anchors = None if trust_anchors is None else load_trust_anchors(trust_anchors)
    with opened_file(source_of(path, storage_options)) as file, said_of(file, "a file with a manifest"):
        _check_boxes(file)
        media_type = MEDIA_TYPES.get(path_of(file).suffix.lower())
        return run_apart(lambda watched: read_manifest(watched, media_type, anchors), file)


def _check_boxes(file: BinaryIO) -> None:
    """Refuse a file of more boxes than the library gets through: it compares each with all.

    Raises:
        InputError: it is one.
    """
    opened, count = [file_box(file)], 0
    while opened:
        box = opened.pop()
        for each in children(file, box, skip=4 if box.kind == b"meta" else 0):
            opened += [each] if each.kind in _HOLD_BOXES else []
            count += 1
            if count > _MOST_BOXES:
                raise InputError(f"{name_of(file)!r} is of more than {_MOST_BOXES:,} boxes: no manifest is read of it")


def library() -> Any:
    """Give c2pa-python's module.

    Raises:
        MissingDependencyError: it is missing.
    """
    try:
        import c2pa
    except ImportError as error:
        raise MissingDependencyError("provenance needs c2pa-python: pip install 'telecine[c2pa]'") from error
    return c2pa


def settings(time_stamp_authority: str | None = None, trust_anchors: str | None = None) -> dict[str, Any]:
    """Give the library's settings: no network but for a time-stamp authority, and nothing written unasked."""
    parts = urlsplit(time_stamp_authority or "")
    hosts = [f"{parts.scheme}://{parts.netloc}"] if parts.netloc else []
    automatic = ("auto_created_action", "auto_opened_action", "auto_placed_action")
    return {
        "core": {"allowed_network_hosts": hosts, "backing_store_memory_threshold_in_mb": _IN_MEMORY},
        "trust": {"trust_config": _USES} | ({} if trust_anchors is None else {"trust_anchors": trust_anchors}),
        # What is signed is read back afterwards.
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": False},
        "builder": {"thumbnail": {"enabled": False}, "actions": {name: {"enabled": False} for name in automatic}},
    }


def read_manifest(file: BinaryIO, media_type: str | None, trust_anchors: str | None = None) -> ProvenanceReport:
    """Read the manifest of an open file; without a media type, the library tells it by the file's first bytes."""
    c2pa = library()
    path = path_of(file)
    file.seek(0)
    try:
        with (
            c2pa.Context.from_dict(settings(trust_anchors=trust_anchors)) as context,
            c2pa.Reader(media_type, file, context=context) as reader,
        ):
            return _judged(path, file, reader)
    except c2pa.C2paError as error:
        problem = " ".join(str(error).split())
    except (AttributeError, KeyError, TypeError) as error:
        problem = f"it is not of C2PA's form: {error!r}"
    if _has_traces(file):
        return ProvenanceReport(path, "tampered", (f"the manifest can't be read: {problem}",))
    return ProvenanceReport(path, "no manifest")


def _has_traces(file: BinaryIO) -> bool:
    """Tell whether a manifest is in a file in which none is found: what leads to it is damaged."""
    file.seek(0)
    part = b""
    while piece := file.read(_PIECE):
        if _TRACES.search(part := part + piece):
            return True
        part = part[-_LONGEST_PART:]
    return False


def _judged(path: Path, file: BinaryIO, reader: Any) -> ProvenanceReport:
    """Say what a manifest that can be read holds, and whether that is so."""
    store: Json = json.loads(reader.json())
    manifest: Json = store["manifests"][store["active_manifest"]]
    assertions = [(each["label"], each.get("data") or {}) for each in manifest.get("assertions", [])]
    state, problems = _state(store)
    for label, data in assertions:
        if label == UNHASHED_LABEL and not (data.get("sha256") == digest_of_unhashed(file) and checksum_holds(file)):
            state = "tampered"
            problems += ("the file type box, a free box or the manifest is not what was written",)
    actions = [action for label, data in assertions if label.startswith("c2pa.actions") for action in data["actions"]]
    ingredients = manifest.get("ingredients", [])
    signature = manifest.get("signature_info", {})
    return ProvenanceReport(
        path=path,
        state=state,
        problems=problems,
        title=manifest.get("title"),
        generator=", ".join(_named(each) for each in manifest.get("claim_generator_info", [])) or None,
        actions=tuple(str(each["action"]) for each in actions),
        digital_source_types=_distinct(each.get("digitalSourceType") for each in actions),
        models=_distinct(_named(each["softwareAgent"]) for each in actions if "softwareAgent" in each),
        prompt=next((_text(reader, each) for each in ingredients if _is_prompt(each)), None),
        ingredients=tuple(str(each.get("title")) for each in ingredients if not _is_prompt(each)),
        signed_by=", ".join(filter(None, (signature.get("common_name"), signature.get("issuer")))) or None,
        signed_at=signature.get("time"),
        manifest=store,
    )


def _state(store: Json) -> tuple[State, tuple[str, ...]]:
    """Give the state by what the library found, and what it found wrong."""
    results = store.get("validation_results", {})
    active = results.get("activeManifest", {})
    findings = [active, *(each["validationDeltas"] for each in results.get("ingredientDeltas", []))]
    failures = [failure for each in findings for failure in each.get("failure", [])]
    stamps = [each for each in active.get("informational", []) if each["code"].startswith("timeStamp.")]
    problems = _distinct(f"{each['code']}: {each.get('explanation', '')}".rstrip(": ") for each in failures + stamps)
    if store.get("validation_state") == "Trusted":
        return "valid", problems
    signed = any(each["code"] == "claimSignature.validated" for each in active.get("success", []))
    if signed and all(each["code"].startswith(_ABOUT_THE_SIGNER) for each in failures):
        return "valid but untrusted", problems
    return "tampered", problems or ("the manifest is not valid",)


def _named(agent: str | Json) -> str:
    return agent if isinstance(agent, str) else " ".join(str(agent[key]) for key in ("name", "version") if key in agent)


def _distinct(texts: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _is_prompt(ingredient: Json) -> bool:
    return any(each.get("type") == PROMPT_TYPE for each in ingredient.get("data_types", []))


def _text(reader: Any, ingredient: Json) -> str:
    data = io.BytesIO()
    reader.resource_to_stream(ingredient["data"]["identifier"], data)
    return data.getvalue().decode("utf-8", "replace")
