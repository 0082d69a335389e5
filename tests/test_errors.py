"""Errors: the page that each names, which a traceback shows, another process gets, and the documentation has."""

from __future__ import annotations

import ast
import copy
import pickle
import re
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import telecine
from telecine import errors
from telecine.errors import (
    DOCUMENTATION,
    EncodeError,
    FrameError,
    InputError,
    MissingDependencyError,
    OptionError,
    ProvenanceError,
    PublishError,
    TelecineError,
)

from .support.helpers import ROOT

FRAMES = np.zeros((2, 48, 64, 3), np.uint8)


def test_an_error_of_a_class_names_its_page() -> None:
    pages = {
        error.__name__: error("said").documentation.removeprefix(DOCUMENTATION)
        for error in (
            TelecineError,
            FrameError,
            OptionError,
            InputError,
            EncodeError,
            PublishError,
            ProvenanceError,
            MissingDependencyError,
        )
    }
    assert pages == {
        "TelecineError": "troubleshooting.html",
        "FrameError": "frames.html",
        "OptionError": "options.html",
        "InputError": "troubleshooting.html#a-file-can-t-be-read",
        "EncodeError": "troubleshooting.html",
        "PublishError": "troubleshooting.html#the-path-can-t-be-written",
        "ProvenanceError": "provenance.html",
        "MissingDependencyError": "troubleshooting.html#a-package-is-missing",
    }


def exported(**options: object) -> Callable[[Path], object]:
    return lambda path: telecine.export_video(FRAMES, path / "clip.mp4", **options)  # type: ignore[arg-type]


def tapped() -> None:
    with telecine.VideoWriter() as writer, telecine.tap(object(), writer):
        pass


@pytest.mark.parametrize(
    ("call", "page"),
    [
        (exported(fps=0), "options.html"),
        (exported(dither=True, bit_depth=10), "dither.html"),
        (exported(max_bytes=1), "limits.html"),
        (exported(color="pq", codec="h264"), "hdr.html"),
        (exported(light="display-linear"), "hdr.html"),
        (exported(encoder="libx264", codec="av1"), "encoders.html"),
        (exported(encoder_options={"nonsense": 1}), "encoders.html#what-an-encoder-ignores"),
        (exported(audio=np.zeros((2, 9), np.float32)), "audio.html"),
        (exported(height=0), "size-and-time.html#size"),
        (exported(latency="low"), "anywhere.html#while-it-grows"),
        (exported(metadata={"a": b""}), "metadata.html"),
        (exported(layout="HW"), "frames.html"),
        (lambda path: telecine.export_video(FRAMES, path), "choosing.html"),
        (
            lambda path: telecine.export_video(FRAMES, f"{path}/clip.mp4/"),
            "troubleshooting.html#the-path-can-t-be-written",
        ),
        (
            lambda path: telecine.export_video(FRAMES, path / f"{'x' * 300}.mp4"),
            "troubleshooting.html#the-file-name-is-too-long",
        ),
        (lambda path: telecine.concat([], path / "clip.mp4"), "joining.html#what-goes-together"),
        (lambda path: telecine.recover(path / "clip.mp4"), "recovery.html"),
        (lambda path: tapped(), "tap.html#what-streams"),
        (lambda path: telecine.export_batch([], path, engine="no"), "scale.html"),  # type: ignore[arg-type]
    ],
)
def test_an_error_names_the_page_of_what_it_is_about(call: Callable[[Path], object], page: str, tmp_path: Path) -> None:
    with pytest.raises(TelecineError) as raised:
        call(tmp_path)
    assert raised.value.documentation == DOCUMENTATION + page


def test_a_traceback_shows_the_page_below_a_message_that_is_one_line() -> None:
    with pytest.raises(FrameError) as raised:
        telecine.export_bytes([])
    error, page = raised.value, f"{DOCUMENTATION}troubleshooting.html#there-are-no-frames"
    assert str(error) == "no frames: there is nothing to write"
    shown = "".join(traceback.format_exception_only(error))
    assert shown.splitlines() == [f"telecine.errors.FrameError: {error}", f"see {page}"]


@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_an_error_is_the_same_in_another_process(again: Callable[[TelecineError], TelecineError]) -> None:
    for error in (OptionError("said", page="hdr#back-to-light"), FrameError("said"), errors.MissingDependencyError()):
        error.add_note("another")
        other = again(error)
        assert (type(other), str(other), other.documentation) == (type(error), str(error), error.documentation)
        assert other.__notes__ == error.__notes__ == [f"see {error.documentation}", "another"]
    full = PublishError.of(28, "the disk is full", "clip.mp4")
    other = again(full)
    assert isinstance(other, PublishError)
    assert (str(other), other.errno, other.filename) == ("the disk is full", 28, "clip.mp4")


def test_an_error_that_others_raise_names_the_page_of_its_class() -> None:
    names = {"OptionError": OptionError, "__name__": "joining"}
    exec("error = OptionError('said')", names)
    assert names["error"].documentation == f"{DOCUMENTATION}options.html"  # type: ignore[attr-defined]


# ---- what the documentation has --------------------------------------------------------------------------------------


def pages_named() -> set[str]:
    """All that an error can name: those of modules, of classes, and of the `raise` itself."""
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, TelecineError)]
    named = {*errors._PAGES.values(), *errors._PAGES_OF_ERRNO.values(), *(each._page for each in classes)}
    for module in (ROOT / "src" / "telecine").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (page := {each.arg: each.value for each in node.keywords}.get("page")):
                named |= {page.value} if isinstance(page, ast.Constant) and isinstance(page.value, str) else set()
    return named


def sections_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as Sphinx makes them (docutils.nodes.make_id)."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return {
        re.sub(r"[^a-z0-9]+", "-", each.lower()).strip("-") for each in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }


def test_every_page_and_section_that_an_error_names_is_there() -> None:
    named = pages_named()
    assert {"hdr", "hdr#back-to-light", "options", "dither"} <= named
    for each in named:
        page, _, section = each.partition("#")
        file = ROOT / "docs" / f"{page}.md"
        assert file.is_file(), each
        assert not section or section in sections_of(file), each


def test_every_module_that_has_a_page_is_there() -> None:
    for module in errors._PAGES:
        path = ROOT / "src" / "telecine" / module.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file(), module
