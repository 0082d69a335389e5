"""A signed file says where it came from, and plays as the unsigned one does; what can not sign costs no frame."""

from __future__ import annotations

import itertools
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import traceback
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from PIL import Image

import telecine
from telecine import MissingDependencyError, OptionError, Provenance, ProvenanceError, PublishError, VideoWriter
from telecine.formats.images import MOVING_IMAGES
from telecine.provenance.seal import Seal, seal_of

from ..support.certificates import DAY, MADE_BY_MODEL, TODAY, Identity, by, identity
from ..support.helpers import (
    Asked,
    assert_frames,
    assert_kept,
    assert_untouched,
    encoding_threads,
    greys,
    names_in,
    noise,
)
from ..support.mp4 import boxes
from ..support.time_stamps import STAMPED, TimeStamps, server

pytestmark = pytest.mark.slow

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"

Json: TypeAlias = dict[str, Any]


def active(report: telecine.ProvenanceReport) -> Json:
    manifest: Json = report.manifest["manifests"][report.manifest["active_manifest"]]
    return manifest


def actions(report: telecine.ProvenanceReport) -> list[Json]:
    (found,) = [each["data"]["actions"] for each in active(report)["assertions"] if each["label"] == "c2pa.actions.v2"]
    return list(found)


# ---- what it says ----------------------------------------------------------------------------------------------------


def test_a_manifest_says_what_made_the_file(me: Identity, tmp_path: Path) -> None:
    video = telecine.export_video(greys(), tmp_path / "clip.mp4", provenance=by(me, model="CogVideoX-5b"))
    report = telecine.read_provenance(video, me.anchors)
    assert actions(report) == [
        {"action": "c2pa.created", "digitalSourceType": MADE_BY_MODEL, "softwareAgent": {"name": "CogVideoX-5b"}}
    ]
    (generator,) = active(report)["claim_generator_info"]
    assert (generator["name"], generator["version"]) == ("telecine", telecine.__version__)
    assert active(report)["title"] == "clip.mp4"
    assert (report.state, report.problems, report.title) == ("valid", (), "clip.mp4")
    assert (report.actions, report.digital_source_types) == (("c2pa.created",), (MADE_BY_MODEL,))
    assert (report.generator, report.models) == (f"telecine {telecine.__version__}", ("CogVideoX-5b",))
    assert (report.prompt, report.ingredients, report.signed_at) == (None, (), None)
    assert report.signed_by == "Test signer, Tests"


def test_the_prompt_is_written_only_if_it_is_given(me: Identity, tmp_path: Path) -> None:
    prompt = "a panda plays the guitar — 熊猫\n" * 1000
    video = telecine.export_video(greys(), tmp_path / "clip.mp4", provenance=by(me, prompt=prompt))
    report = telecine.read_provenance(video)
    assert (report.prompt, report.ingredients) == (prompt, ())
    (ingredient,) = active(report)["ingredients"]
    assert ingredient["data_types"] == [{"type": "c2pa.types.generator.prompt"}]
    assert ingredient["relationship"] == "inputTo"
    telecine.export_video(greys(), video, provenance=by(me))
    assert b"panda" not in Path(video).read_bytes()
    assert b"prompt" not in Path(video).read_bytes()


def test_all_that_is_given_is_said(me: Identity, tmp_path: Path) -> None:
    said = by(
        me,
        generator="Studio",
        generator_version="2.1",
        title="Panda",
        digital_source_type="compositeWithTrainedAlgorithmicMedia",
    )
    report = telecine.read_provenance(telecine.export_video(greys(), tmp_path / "clip.mp4", provenance=said))
    assert (report.generator, report.title) == ("Studio 2.1", "Panda")
    assert report.digital_source_types == (IPTC + "compositeWithTrainedAlgorithmicMedia",)
    said = by(me, generator="Studio", digital_source_type="https://example.org/made")
    report = telecine.read_provenance(telecine.export_video(greys(), tmp_path / "clip.mp4", provenance=said))
    assert (report.generator, report.digital_source_types) == ("Studio", ("https://example.org/made",))


def test_of_video_to_video_the_input_is_what_was_edited(me: Identity, clip: Path, tmp_path: Path) -> None:
    said = by(me, parent=clip, model="CogVideoX-5b", digital_source_type="compositeWithTrainedAlgorithmicMedia")
    video = telecine.export_video(greys(), tmp_path / "edited.mp4", provenance=said)
    report = telecine.read_provenance(video, me.anchors)
    opened, edited = actions(report)
    (parent,) = active(report)["ingredients"]
    assert opened["action"] == "c2pa.opened"
    assert [each["url"].rpartition("/")[2] for each in opened["parameters"]["ingredients"]] == [parent["label"]]
    assert edited["action"] == "c2pa.edited"
    assert edited["digitalSourceType"] == IPTC + "compositeWithTrainedAlgorithmicMedia"
    assert (parent["title"], parent["relationship"]) == ("clip.mp4", "parentOf")
    assert (report.state, report.actions, report.ingredients) == (
        "valid",
        ("c2pa.opened", "c2pa.edited"),
        ("clip.mp4",),
    )
    # The mark that the input had is kept.
    inner = report.manifest["manifests"][parent["active_manifest"]]
    assert inner == active(telecine.read_provenance(clip))


def test_of_image_to_video_the_picture_is_an_input(me: Identity, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "first.png")
    (tmp_path / "notes").write_bytes(b"of no kind that C2PA knows")
    said = by(me, inputs=[tmp_path / "first.png", str(tmp_path / "notes")], prompt="it wakes up")
    report = telecine.read_provenance(telecine.export_video(greys(), tmp_path / "clip.mp4", provenance=said))
    (created,) = actions(report)
    assert created["action"] == "c2pa.created"
    assert len(created["parameters"]["ingredients"]) == 3
    assert (report.state, report.ingredients, report.prompt) == (
        "valid but untrusted",
        ("first.png", "notes"),
        "it wakes up",
    )
    assert {each["relationship"] for each in active(report)["ingredients"]} == {"inputTo"}


def test_an_input_that_is_not_what_its_name_says_is_told_at_once(me: Identity, path: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(OptionError, match=r"the ingredient '[^']*text.mp4' can't be read: "):
        VideoWriter(path, provenance=by(me, parent=tmp_path / "text.mp4"))
    assert_untouched(path)


@pytest.mark.skipif(os.name != "posix", reason="names are text there")
def test_a_name_that_is_no_text_does_not_lose_the_clip(me: Identity, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"clip-\xff.mp4")
    telecine.export_video(greys(), path, provenance=by(me, parent=None))
    report = telecine.read_provenance(path)
    assert (report.state, report.title) == ("valid but untrusted", "clip-?.mp4")


# ---- the file --------------------------------------------------------------------------------------------------------

VIDEOS = [
    ("clip.mp4", {}),
    ("clip.m4v", {}),
    ("clip.mov", {}),
    ("clip.mp4", {"codec": "hevc"}),
    ("clip.mp4", {"codec": "av1", "preset": "ultrafast"}),
    ("clip.mov", {"codec": "prores"}),
]


def export_both(name: str, folder: Path, provenance: Provenance, **options: Any) -> tuple[telecine.Video, Path]:
    """Export a signed clip, and give what it was before: x264's threads don't make the same bytes twice."""
    before, sign = folder / f"before-{name}", Seal.sign

    def keep_and_sign(self: Seal, file: BinaryIO, *others: Any) -> None:
        file.seek(0)
        before.write_bytes(file.read())
        sign(self, file, *others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Seal, "sign", keep_and_sign)
        return telecine.export_video(noise(), folder / name, provenance=provenance, **options), before


@pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")
@pytest.mark.parametrize(("name", "options"), VIDEOS, ids=str)
def test_a_signed_video_is_the_unsigned_one_with_a_manifest(
    name: str, options: Json, me: Identity, tmp_path: Path
) -> None:
    video, plain = export_both(name, tmp_path, by(me), fps=24, **options)
    assert telecine.read_provenance(video, me.anchors).state == "valid"
    for decoded, expected in itertools.zip_longest(telecine.read_frames(video), telecine.read_frames(plain)):
        np.testing.assert_array_equal(decoded, expected)
    ours, theirs = telecine.probe(video), telecine.probe(plain)
    assert replace(ours, path=theirs.path, size_bytes=theirs.size_bytes) == theirs
    assert ours.index_in_front
    assert telecine.read_timestamps(video) == telecine.read_timestamps(plain) == [Fraction(i, 24) for i in range(5)]
    kinds = [kind for kind, _ in boxes(Path(video).read_bytes())]
    assert [kind for kind in kinds if kind in ("ftyp", "uuid", "moov", "mdat")] == ["ftyp", "uuid", "moov", "mdat"]
    assert video.size_bytes == Path(video).stat().st_size
    assert video.frame_count == 5
    assert names_in(tmp_path) == sorted([name, plain.name])


def test_a_signed_video_plays_in_opencv(clip: Path) -> None:
    import cv2

    capture = cv2.VideoCapture(str(clip))
    found = [capture.read()[1].mean() for _ in range(5)]
    capture.release()
    assert np.abs(np.array(found) - greys().mean((1, 2, 3))).max() < 2


@pytest.mark.parametrize("format", MOVING_IMAGES)
def test_a_signed_moving_image_is_the_unsigned_one_with_a_manifest(format: str, me: Identity, tmp_path: Path) -> None:
    path = tmp_path / f"clip.{format}"
    video, plain = export_both(path.name, tmp_path, by(me, prompt="a panda"), fps=10)
    assert video.size_bytes == path.stat().st_size
    report = telecine.read_provenance(video, me.anchors)
    assert (report.state, report.prompt, report.title) == ("valid", "a panda", path.name)
    with Image.open(path) as signed, Image.open(plain) as unsigned:
        assert [getattr(each, "n_frames", 1) for each in (signed, unsigned)] == [5, 5]
        for index in range(5):
            signed.seek(index)
            unsigned.seek(index)
            assert signed.info.get("duration") == unsigned.info.get("duration")
            assert signed.convert("RGBA").tobytes() == unsigned.convert("RGBA").tobytes()
    data, before = bytearray(path.read_bytes()), plain.read_bytes()
    data[data.index(before[len(before) // 2 :][:16])] ^= 1  # in the pictures
    path.write_bytes(data)
    assert telecine.read_provenance(path).state == "tampered"


def test_a_limit_of_bytes_holds_for_the_signed_file(me: Identity, tmp_path: Path) -> None:
    whole = telecine.export_video(noise(40), tmp_path / "whole.mp4", provenance=by(me))
    limit = whole.size_bytes * 2 // 3
    video = telecine.export_video(noise(40), tmp_path / "clip.mp4", provenance=by(me), max_bytes=limit)
    assert Path(video).stat().st_size == video.size_bytes <= limit
    assert telecine.read_provenance(video, me.anchors).state == "valid"
    assert names_in(tmp_path) == ["clip.mp4", "whole.mp4"]


@pytest.mark.parametrize("name", ["clip.webm", "clip.mkv"])
def test_a_container_without_a_place_for_it_is_refused_at_once(name: str, me: Identity, tmp_path: Path) -> None:
    frames = Asked(greys())
    with pytest.raises(OptionError, match=f"{name[5:]} has no place for a C2PA manifest: use mp4, mov, webp, png"):
        telecine.export_video(frames, tmp_path / name, provenance=by(me))
    assert (frames.count, names_in(tmp_path)) == (0, [])
    with pytest.raises(OptionError, match="provenance= signs one file, and png is a folder of images: leave it out"):
        telecine.export_video(frames, tmp_path / "frames", format="png", provenance=by(me))


# ---- what signs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519"])
def test_every_kind_of_key_signs(algorithm: str, clip: Path, tmp_path: Path) -> None:
    me = identity(algorithm)
    given = None if algorithm in ("es256", "ps256") else algorithm
    video = telecine.export_video(greys(), tmp_path / "clip.mp4", provenance=by(me, algorithm=given))
    report = telecine.read_provenance(video, me.anchors)
    assert report.state == "valid"
    assert active(report)["signature_info"]["alg"].lower() == algorithm


def test_a_key_and_a_chain_in_files_sign(me: Identity, key: Path, tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_bytes(me.pem() + me.chain)  # with the key, as some programs write it
    said = Provenance(certificate=str(tmp_path / "chain.pem"), private_key=key)
    video = telecine.export_video(greys(), tmp_path / "clip.mp4", provenance=said)
    (tmp_path / "root.pem").write_bytes(me.anchors)
    assert telecine.read_provenance(video, tmp_path / "root.pem").state == "valid"
    assert_frames(video, greys())


def test_a_function_signs_where_the_key_can_not_be_read(me: Identity, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    asked: list[bytes] = []

    def service(data: bytes) -> bytes:
        asked.append(data)
        assert isinstance(me.key, ec.EllipticCurvePrivateKey)
        return me.key.sign(data, ec.ECDSA(hashes.SHA256()))

    said = Provenance(certificate=me.chain, signer=service)
    video = telecine.export_video(greys(), tmp_path / "clip.mp4", provenance=said)
    assert telecine.read_provenance(video, me.anchors).state == "valid"
    assert len(asked) == 2  # the trial, and the file


def no_text(me: Identity) -> str:
    """What must never be told: the key's own base64, in lines and without."""
    return "|".join(me.pem().decode().splitlines()[1:-1])


def assert_silent(error: BaseException, me: Identity, said: str) -> None:
    """Nothing of the key is in an error, in what it is chained to, or in the log."""
    told = "".join(traceback.format_exception(error)) + repr(error) + said
    assert re.search(re.escape(no_text(me)).replace(r"\|", "|"), told) is None
    assert "PRIVATE KEY" not in told
    assert "\n" not in str(error)


WRONG: Json = {
    "no key": ({"private_key": None}, "takes private_key= or signer=: give one of the two"),
    "both": ({"signer": len}, "takes private_key= or signer=: give one of the two"),
    "another key": ({"private_key": identity().pem()}, "is not that of the certificate"),
    "no PEM": ({"private_key": b"MIGHAgEAMBMGByqGSM49AgEG"}, "the private key is none in PEM"),
    "encrypted": ({"private_key": identity().pem(b"password")}, "is encrypted: decrypt it, or sign by signer="),
    "no certificate": ({"certificate": b"nothing"}, "holds no certificates in PEM"),
    "missing": ({"certificate": "missing.pem"}, "the file of the certificate can't be read: No such file"),
    "missing key": ({"private_key": "missing.pem"}, "the file of the private key can't be read: No such file"),
    "algorithm": ({"algorithm": "ps256"}, "algorithm='ps256' is not the certificate's: use 'es256'"),
    "source type": ({"digital_source_type": "ai"}, "digital_source_type='ai' is not known: use 'trainedAlg"),
    "parent": ({"parent": "missing.mp4"}, "the ingredient 'missing.mp4' can't be read: No such file"),
    "folder": ({"inputs": ["."]}, "the ingredient '.' can't be read: it is a folder, not a file"),
    "one path": ({"inputs": "image.png"}, "inputs='image.png' is one path: give a list of paths"),
    "authority": ({"time_stamp_authority": "example.org"}, "is no address: use one that begins with https://"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_can_not_sign_is_one_error_before_the_first_frame(
    case: str, me: Identity, path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    given, said = WRONG[case]
    frames = Asked(greys())
    with pytest.raises(OptionError, match=re.escape(said)) as refused:
        telecine.export_video(
            frames, path, provenance=Provenance(**{"certificate": me.chain, "private_key": me.pem()} | given)
        )
    assert_silent(refused.value, me, caplog.text + "".join(capfd.readouterr()))
    assert frames.count == 0
    assert_untouched(path)


def test_a_key_that_is_given_as_a_path_is_not_repeated(me: Identity, path: Path) -> None:
    for mistaken in (me.pem().decode(), me.pem().decode().splitlines()[1]):
        with pytest.raises(OptionError, match="the file of the private key can't be read") as refused:
            VideoWriter(path, provenance=Provenance(certificate=me.chain, private_key=mistaken))
        assert_silent(refused.value, me, "")


EXPIRED = identity(begins=TODAY - 3 * DAY, ends=TODAY - DAY)

UNFIT = {
    "expired": (EXPIRED, f"the certificate expired on {TODAY - DAY:%Y-%m-%d}"),
    "not yet": (identity(begins=TODAY + DAY, ends=TODAY + 2 * DAY), f"is valid from {TODAY + DAY:%Y-%m-%d}"),
    "for servers": (identity(use=ExtendedKeyUsageOID.SERVER_AUTH), "provenance can't sign: .*certificate"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_certificate_that_may_not_sign_is_refused_at_once(case: str, path: Path) -> None:
    unfit, said = UNFIT[case]
    with pytest.raises(OptionError, match=said):
        VideoWriter(path, provenance=by(unfit))
    assert_untouched(path)


@pytest.mark.skipif(os.name != "posix", reason="no permissions there")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o610, 0o666])
def test_a_key_that_others_can_read_is_refused(mode: int, me: Identity, path: Path, tmp_path: Path) -> None:
    key = tmp_path / "a key.pem"
    key.write_bytes(me.pem())
    key.chmod(mode)
    said = f"the private key {str(key)!r} is open to others (0{mode:o}): chmod 600 '{key}'"
    with pytest.raises(OptionError, match=re.escape(said)):
        VideoWriter(path, provenance=Provenance(certificate=me.chain, private_key=key))
    assert_untouched(path)
    key.chmod(0o400)
    telecine.export_video(greys(), path, provenance=Provenance(certificate=me.chain, private_key=key))


def test_a_provenance_shows_no_key_nor_prompt(me: Identity, key: Path) -> None:
    for given in (me.pem(), key, str(key)):
        shown = repr(Provenance(certificate=me.chain, private_key=given, prompt="a secret panda", model="m"))
        assert shown == "Provenance(generator='telecine', model='m', digital_source_type='trainedAlgorithmicMedia')"
    seal = seal_of(by(me, prompt="a secret panda"), "mp4")
    assert re.search(f"{no_text(me)}|panda", repr(seal)) is None


@pytest.mark.parametrize("missing", ["c2pa", "cryptography"])
def test_a_missing_library_is_named_with_its_extra(
    missing: str, me: Identity, clip: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingDependencyError, match=re.escape("pip install 'telecine[c2pa]'")):
        VideoWriter(path, provenance=by(me))
    assert_untouched(path)
    with pytest.raises(MissingDependencyError, match=re.escape("pip install 'telecine[c2pa]'")):
        telecine.read_provenance(clip, me.anchors)


# ---- a signature that fails ------------------------------------------------------------------------------------------


class Failing:
    """Signs the trial, and does something else after that."""

    def __init__(self, me: Identity, then: Any) -> None:
        self._sign = seal_of(by(me), "mp4").credentials.sign
        self._then = then
        self.count = 0

    def __call__(self, data: bytes) -> bytes:
        self.count += 1
        return self._sign(data) if self.count == 1 else self._then(data)


def refuse(data: bytes) -> bytes:
    raise ConnectionError("the service is gone, and its PRIVATE KEY")


@pytest.mark.parametrize("then", [refuse, lambda _: b"", lambda _: b"\0" * 64], ids=["raises", "nothing", "wrong"])
def test_a_signature_that_fails_publishes_nothing_and_keeps_the_frames(
    then: Any, me: Identity, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    signer = Failing(me, then)
    with pytest.raises(ProvenanceError, match=r"; 5 of 5 frames are kept: telecine recover ") as failed:
        telecine.export_video(greys(), path, provenance=Provenance(certificate=me.chain, signer=signer))
    assert signer.count == 2
    assert "PRIVATE KEY" not in str(failed.value) + caplog.text
    if then is refuse:
        assert str(failed.value).startswith("the signer raised ConnectionError; ")
        assert isinstance(failed.value.__cause__, ConnectionError)
    assert_frames(assert_kept(path, failed.value), greys())


def test_an_input_that_is_gone_by_then_publishes_nothing(me: Identity, path: Path, tmp_path: Path) -> None:
    parent = tmp_path / "parent.mp4"
    telecine.export_video(greys(), parent)
    writer = VideoWriter(path, provenance=by(me, parent=parent))
    writer.write(greys())
    parent.unlink()
    with pytest.raises(ProvenanceError, match=r"^the ingredient '[^']*' can't be read: No such file") as failed:
        writer.close()
    assert_frames(assert_kept(path, failed.value), greys())


def test_a_disk_that_fills_while_signing_publishes_nothing(me: Identity, path: Path) -> None:
    resource = pytest.importorskip("resource")
    unsigned = telecine.export_video(noise(), path.parent / "unsigned.mp4")
    Path(unsigned).unlink()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = VideoWriter(path, provenance=by(me))
    writer.write(noise())
    resource.setrlimit(resource.RLIMIT_FSIZE, (unsigned.size_bytes + 4096, limits[1]))
    try:
        with pytest.raises(PublishError, match="can't be written: File too large") as failed:
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_frames(assert_kept(path, failed.value), noise())


SIGNING = """
import sys, threading, numpy, telecine
from telecine.provenance.certificates import load_credentials
chain, key = open("chain.pem", "rb").read(), open("key.pem", "rb").read()
sign, calls = load_credentials(chain, key).sign, []

def signer(data):
    calls.append(data)
    if len(calls) > 1:
        print("signing", flush=True)
        threading.Event().wait()
    return sign(data)

frames = numpy.random.default_rng(0).integers(0, 256, (5, 48, 64, 3), numpy.uint8)
try:
    telecine.export_video(frames, "out/clip.mp4", provenance=telecine.Provenance(certificate=chain, signer=signer))
except KeyboardInterrupt as error:
    print("stopped", *getattr(error, "__notes__", []), flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="no such signals there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_ends_while_signing_leaves_what_was_there(
    number: signal.Signals, me: Identity, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "clip.mp4"
    path.write_bytes(b"an older clip, which stays")
    (tmp_path / "chain.pem").write_bytes(me.chain)
    (tmp_path / "key.pem").write_bytes(me.pem())
    command = [sys.executable, "-c", SIGNING]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "signing\n"
        process.send_signal(number)
        said = process.stdout.read()
        assert process.wait(timeout=60) == (0 if number == signal.SIGINT else -number)
    if number == signal.SIGINT:
        assert said.startswith("stopped")
    else:
        left = {".clip.mp4.telecine-journal", ".clip.mp4.telecine-new", "clip.mp4"}
        assert set(names_in(folder)) == left  # the copy that is being signed has no name
        video = telecine.recover(path, tmp_path / "recovered.mp4")
        assert names_in(folder) == ["clip.mp4"]
        assert_frames(video, noise())
        return
    assert_frames(assert_kept(path), noise())


def test_concurrent_writers_sign(me: Identity, tmp_path: Path) -> None:
    said = by(me)

    def export(count: int) -> None:
        telecine.export_video(greys(count), tmp_path / f"{count}.mp4", provenance=said)

    threads = [threading.Thread(target=export, args=(count,)) for count in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for count in range(1, 9):
        assert telecine.read_provenance(tmp_path / f"{count}.mp4", me.anchors).state == "valid"
        assert_frames(tmp_path / f"{count}.mp4", greys(count))
    assert encoding_threads() == []


# ---- the network -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> Identity:
    return identity(use=ExtendedKeyUsageOID.TIME_STAMPING, begins=STAMPED - 400 * DAY)


def test_a_time_stamp_authority_says_when_it_was_signed(authority: Identity, tmp_path: Path) -> None:
    me = identity(begins=STAMPED - DAY)
    with server(TimeStamps(authority.certificate, authority.key)) as (address, asked):  # type: ignore[arg-type]
        said = by(me, time_stamp_authority=address)
        video = telecine.export_video(greys(), tmp_path / "clip.mp4", provenance=said)
    assert len(asked) == 2  # the trial, and the file
    report = telecine.read_provenance(video, me.anchors + authority.anchors)
    assert (report.state, report.problems) == ("valid", ())
    assert report.signed_at == STAMPED.isoformat()
    report = telecine.read_provenance(video)
    assert report.state == "valid but untrusted"
    assert [each.partition(":")[0] for each in report.problems] == [
        "signingCredential.untrusted",
        "timeStamp.untrusted",
    ]


def test_an_authority_that_does_not_answer_is_told_before_the_first_frame(me: Identity, path: Path) -> None:
    with server() as (address, _):
        pass  # nobody listens there any more
    with pytest.raises(OptionError, match="provenance can't sign: "):
        VideoWriter(path, provenance=by(me, time_stamp_authority=address))
    assert_untouched(path)


def test_without_an_authority_nothing_reaches_the_network(tmp_path: Path) -> None:
    with server() as (address, asked):
        me = identity(ocsp=address)
        video = telecine.export_video(greys(), tmp_path / "clip.mp4", provenance=by(me))
        assert telecine.read_provenance(video, me.anchors).state == "valid"
        # A picture that only says where its manifest would be.
        import c2pa

        Image.new("RGB", (8, 8)).save(tmp_path / "remote.png")
        with (tmp_path / "remote.png").open("rb") as source, (tmp_path / "elsewhere.png").open("w+b") as target:
            context = c2pa.Context.from_dict({"verify": {"verify_after_sign": False}})
            builder = c2pa.Builder({"claim_generator_info": [{"name": "test"}], "assertions": []}, context)
            builder.set_no_embed()
            builder.set_remote_url(address + "/manifest")
            seal = seal_of(by(me), "png")
            signer = c2pa.Signer.from_callback(seal.credentials.sign, c2pa.C2paSigningAlg.ES256, me.chain.decode())
            builder.sign(signer, "image/png", source, target)
        assert address.encode() in (tmp_path / "elsewhere.png").read_bytes()
        report = telecine.read_provenance(tmp_path / "elsewhere.png")
        assert report.state == "no manifest"
        assert asked == []
