"""Whatever a name, a tag, a manifest or a library says is shown escaped, wherever it is shown."""

from __future__ import annotations

import contextlib
import html.parser
import json
import os
import re
import subprocess
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest

import telecine
from telecine import TelecineError, TelecineWarning
from telecine.errors import PublishError
from telecine.support.words import one_line, shell_word, shown

from .certificates import identity
from .helpers import greys, noise
from .terminals import on_a_terminal

# What repaints a terminal, turns a line around, breaks it, or is markup of rich or of HTML.
HOSTILE = {
    "escape": "\x1b[2J\x1b[31mvalid\x1b]0;title\x07",
    "C1": "\x9b2J\x85\x9d0;x\x9c",
    "lines": "a\r\nstate  valid\u2028b\u2029c\v\f",
    "directions": "\u202egpj.\u202c\u2066x\u2069\u200e\u200f\u061c",
    "invisible": "a\u200bb\ufeff\u00ad\U000e0041\x7f\x08\x08",
    "rich": "[bold red]x[/bold red] [link=http://evil]y[/link] :smile: [/]",
    "HTML": "<script>alert(1)</script>\" onerror='alert(2)' &lt;b&gt;",
}
ALL = "".join(HOSTILE.values())
NAME = ALL.replace("/", "") + "\udcff"  # bytes that are no text, too


def controls(text: str) -> list[str]:
    """What no terminal may get of a text but the ends of its lines."""
    bad = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    return [each for each in text if unicodedata.category(each) in bad and each != "\n"]


# ---- one function decides ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_character_that_is_no_mark_is_escaped_and_every_other_stays() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character)[0] == "C" or character in "\u2028\u2029":
            assert re.fullmatch(r"\\([nrt]|u[0-9a-f]{4}|U[0-9a-f]{8})", shown(character)), hex(code)
        else:
            assert shown(character) == character, hex(code)


@pytest.mark.parametrize("text", [*HOSTILE.values(), NAME, "a 熊猫\u3000in the snow ❄️", ""])
def test_what_was_shown_may_be_shown_again(text: str) -> None:
    assert controls(shown(text)) == []
    assert shown(shown(text)) == shown(text)
    assert controls(one_line(text)) == []


def test_a_message_of_several_lines_is_one() -> None:
    assert one_line("it failed:\n    of  this\r\n\tand that \n") == "it failed: of  this and that"


@pytest.mark.parametrize("name", ["plain.mp4", "a  b.mp4", "-v.mp4", "it's $HOME `id`.mp4", "熊猫.mp4", f"{NAME}.mp4"])
def test_a_shell_gives_a_path_back_from_the_word_that_is_shown(name: str) -> None:
    word = shell_word(name)
    assert controls(word) == []
    script = f"printf %s {word}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, env={**os.environ, "LC_ALL": "C"})
    assert done.stdout.removeprefix(b"./") == os.fsencode(name)


# ---- errors and warnings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [TelecineError, *TelecineError.__subclasses__()])
def test_an_error_shows_its_words_escaped(kind: type[TelecineError]) -> None:
    error = kind(f"it says {ALL}")
    assert controls(str(error)) == []
    assert str(error).startswith("it says \\u001b[2J")
    error.args = (f"{error}; more: {ALL}",)
    assert controls(str(error)) == []
    assert str(PublishError.of(28, f"no {ALL}", "x")).startswith("no \\u001b[2J")


def test_a_warning_and_a_note_show_their_words_escaped() -> None:
    from telecine.support.notes import Notes

    notes = Notes()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", TelecineWarning)
        notes.warn(f"it says {ALL}")
    assert [controls(str(each.message)) for each in said] == [[]]
    assert [controls(note) for note in notes] == [[]]


no_json: Any = object()
REFUSED: dict[str, Callable[[Path], object]] = {
    "probe": telecine.probe,
    "read_frames": lambda path: list(telecine.read_frames(path)),
    "read_timestamps": telecine.read_timestamps,
    "verify": lambda path: telecine.verify(path, greys(1)),
    "strip": telecine.strip,
    "recover": telecine.recover,
    "frames": lambda path: telecine.export_video(str(path), path.with_name("a.mp4")),
    "folder": lambda path: telecine.export_video(str(path.with_suffix("")), path.with_name("a.mp4")),
    "audio": lambda path: telecine.export_video(greys(1), path.with_name("a.mp4"), audio=path),
    "path": lambda path: telecine.export_video(greys(1), path / "a.mp4"),
    "extension": lambda path: telecine.export_video(greys(1), path.with_suffix(f".{ALL.replace('/', '')}")),
    "codec": lambda path: telecine.export_video(greys(1), path.with_name("a.mp4"), codec=cast(Any, ALL)),
    "encoder option": lambda path: telecine.export_video(
        greys(1), path.with_name("a.mp4"), encoder_options={ALL: ALL, "tune": ALL}
    ),
    "x264's parameters": lambda path: telecine.export_video(
        greys(1), path.with_name("a.mp4"), encoder_options={"x264-params": f"{ALL}=1"}
    ),
    "metadata": lambda path: telecine.export_video(greys(1), path.with_name("a.mp4"), metadata={ALL: {ALL: no_json}}),
    "provenance": telecine.read_provenance,
    "read_frames of text": lambda path: list(telecine.read_frames(path, light=cast(Any, ALL))),
}


@pytest.mark.parametrize("what", REFUSED)
def test_every_error_of_a_hostile_name_is_one_line(what: str, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path / NAME[:120]))).with_suffix(".mp4")
    path.write_bytes(b"no video: " + ALL.encode())
    with contextlib.nullcontext() if what == "provenance" else pytest.raises(TelecineError) as error:
        assert getattr(REFUSED[what](path), "state", None) == "no manifest"
    said = "" if error is None else str(error.value)
    assert controls(said) == []
    assert "\n" not in said


# ---- the command ---------------------------------------------------------------------------------------------------


on_a_dumb_terminal = partial(on_a_terminal, term="dumb", columns=100)  # it knows no styles


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of hostile files, whose names are hostile too where they are `NAME`."""
    folder = tmp_path_factory.mktemp("hostile")
    frames, me = greys(2), identity(signer="\x1b[2K" + ALL[:50])
    said = telecine.Provenance(
        certificate=me.chain, private_key=me.pem(), title=ALL, model=ALL, prompt=ALL, generator=ALL[:60]
    )
    np.save(folder / "frames.npy", frames)
    telecine.export_video(frames, folder / "signed.mp4", provenance=said)
    telecine.export_video(frames, folder / "told.mp4", metadata={ALL: ALL, "prompt": ALL, "nested": {ALL: [ALL]}})
    telecine.export_video(frames, folder / "told.webp", metadata={ALL: ALL})
    os.rename(folder / "told.webp", os.fsencode(folder) + b"/" + os.fsencode(NAME[:100]) + b".webp")
    with av.open(folder / "others.mkv", "w") as container:
        container.metadata.update({"title": ALL.replace("\0", ""), "artist\x1b[2J": "x"})
        stream: Any = container.add_stream("libx264", rate=16)
        stream.width, stream.height = frames.shape[2], frames.shape[1]
        container.mux(stream.encode(av.VideoFrame.from_ndarray(frames[0])))
        container.mux(stream.encode(None))
    writer = telecine.VideoWriter(folder / f"{NAME[:60]}.mp4")
    writer.write(frames)
    del writer  # a journal is left
    (folder / "json").write_text(json.dumps({ALL: ALL}))
    return folder


COMMANDS: dict[str, tuple[str, ...]] = {
    "probe": ("probe", "told.mp4"),
    "probe of others": ("probe", "others.mkv"),
    "probe --json": ("probe", "told.mp4", "--json"),
    "probe of a name": ("probe", f"{NAME[:100]}.webp"),
    "probe of a name --json": ("probe", f"{NAME[:100]}.webp", "--json"),
    "probe of nothing": ("probe", f"{NAME}.mp4"),
    "debug": ("probe", f"{NAME}.mp4", "--debug"),
    "provenance show": ("provenance", "show", "signed.mp4"),
    "provenance show --json": ("provenance", "show", "signed.mp4", "--json"),
    "verify": ("verify", f"{NAME[:100]}.webp", "frames.npy"),
    "export": ("export", "frames.npy", "-o", f"{NAME[:90]}.gif", "--metadata", f"{ALL}=x", "--metadata-json", "json"),
    "warning": ("export", f"{NAME[:100]}.webp", "-o", "a.mkv", "--fps", "7"),
    "recover --list": ("recover", "--list", "."),
    "strip": ("strip", f"{NAME[:100]}.webp", "-o", f"{NAME[:80]}.webp"),
    "wrong option": ("probe", f"--{ALL}"),
    "wrong command": (ALL,),
    "wrong argument": ("probe", "a", ALL),
    "wrong number": ("export", "frames.npy", "-o", "a.mp4", "--crf", ALL),
    "wrong value": ("export", "frames.npy", "-o", "a.mp4", "--codec", ALL),
    "wrong range": ("export", "frames.npy", "-o", "a.mp4", "--value-range", ALL),
    "wrong metadata": ("export", "frames.npy", "-o", "a.mp4", "--metadata", ALL.replace("=", "")),
    "no frames": ("export", f"{NAME}*", "-o", "a.mp4"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", COMMANDS)
def test_no_terminal_gets_a_control_character_of_the_command(what: str, folder: Path) -> None:
    seen = on_a_dumb_terminal(*map(os.fsencode, COMMANDS[what]), folder=folder).stdout
    assert controls(seen) == []
    if what != "wrong number":  # which typer does not repeat
        assert "\\u001b" in seen or "\\x1b" in seen, seen  # as errors quote names
    assert "😄" not in seen  # which rich makes of :smile:
    if "--json" in what:
        json.loads(seen)


@pytest.mark.slow
def test_json_has_the_true_values(folder: Path) -> None:
    assert json.loads(on_a_dumb_terminal("probe", "told.mp4", "--json", folder=folder).stdout)["metadata"] == {
        ALL: ALL,
        "prompt": ALL,
        "nested": {ALL: [ALL]},
    }
    named = json.loads(on_a_dumb_terminal("probe", os.fsencode(f"{NAME[:100]}.webp"), "--json", folder=folder).stdout)
    assert named["path"] == f"{NAME[:100]}.webp"


def test_a_manifest_can_not_repaint_its_state(folder: Path) -> None:
    seen = on_a_dumb_terminal("provenance", "show", "signed.mp4", folder=folder).stdout
    lines = [line for line in seen.splitlines() if line.startswith("state")]
    assert [line.split(maxsplit=1)[1].strip() for line in lines] == ["valid but untrusted"]
    assert "[boldred]x[/boldred]" in "".join(seen.split())


# ---- HTML ----------------------------------------------------------------------------------------------------------


_ATTRIBUTES = {"controls", "loop", "muted", "autoplay", "playsinline"} | {
    "width",
    "height",
    "style",
    "src",
    "title",
    "alt",
}


class Elements(html.parser.HTMLParser):
    """The elements of a piece of HTML with their attributes, and its text."""

    def __init__(self, piece: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(piece)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def pieces(folder: Path) -> Iterator[tuple[str, str]]:
    for extension in (".mp4", ".webp"):
        path = folder / f"{NAME[:100]}{extension}"
        video = telecine.export_video(noise(), path, quality="visually-lossless")
        yield "whole", video._repr_html_()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("telecine.look.notebook._MOST_HELD", 13_000)
            yield "large", video._repr_html_()
        path.unlink()
        yield "gone", video._repr_html_()


def test_html_holds_no_element_and_no_attribute_of_a_name(tmp_path: Path) -> None:
    for what, piece in pieces(tmp_path):
        assert controls(piece) == [], what
        elements = Elements(piece)
        assert {tag for tag, _ in elements.found} <= {"video", "img", "div"}, what
        given = {name for _, attributes in elements.found for name in attributes}
        assert given <= _ATTRIBUTES
        if what == "large":
            assert "this is a preview" in elements.text
        if what == "gone":
            assert "No such file" in elements.text
