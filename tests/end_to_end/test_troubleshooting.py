"""docs/troubleshooting.md: what it quotes is said, its links lead to sections, and what it says of files holds."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

import telecine
from telecine.errors import DOCUMENTATION

from ..support.helpers import ROOT, failing_at, greys, noise

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
FRAMES = greys(12)
SOUND = np.zeros((2, 4_000), np.float32)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# ---- what is said ----------------------------------------------------------------------------------------------------


def of_two_writers() -> None:
    with telecine.VideoWriter("clip.mp4") as writer:
        writer.write(FRAMES)
        telecine.export_video(FRAMES, "clip.mp4")


def of_a_folder_with_a_gap() -> None:
    Path("frames").mkdir()
    for index in (0, 1, 3):
        Image.fromarray(FRAMES[index]).save(f"frames/{index:06}.png")
    telecine.export_video("frames", "clip.mp4")


def of_a_file_that_was_not_finished() -> None:
    Path("clip.mp4").write_bytes(telecine.export_video(FRAMES, "whole.mp4").read_bytes()[:24] + bytes(400))
    telecine.probe("clip.mp4")


def of_a_file_that_is_there() -> None:
    telecine.export_video(telecine.export_video(FRAMES, "clip.mp4"), "clip.mp4", overwrite=False)


def of_a_video_with_sound() -> None:
    telecine.export_video(FRAMES, "a.mp4", audio=SOUND, audio_rate=48_000)
    telecine.export_video("a.mp4", "clip.mp4")


def export(frames: Any, path: Any = "clip.mp4", **options: Any) -> Callable[[], Any]:
    return lambda: telecine.export_video(frames, path, **options)


NAN = np.full((12, 48, 64, 3), np.nan, np.float32)
# What the page quotes, and what makes telecine say it.
SAID: dict[str, Callable[[], Any]] = {
    "they look like [-1, 1], pass value_range=(-1, 1)": export(np.full_like(NAN, -0.5)),
    "NaN or infinite values": export(NAN),
    "pass layout='CHW' or layout='THW'": export(np.zeros((3, 48, 64), np.uint8)),
    "holds 2 videos": export(np.zeros((2, 4, 48, 64, 3), np.uint8)),
    "export frames[i] one by one": export(np.zeros((2, 4, 48, 64, 3), np.uint8)),
    "all must be of one size": export([FRAMES[0], FRAMES[0, :40]]),
    "bool, uint8, uint16, float16, bfloat16, float32, float64 are accepted": export(FRAMES.astype(np.int32)),
    "there is nothing to write": export([]),
    "the numbering has a gap": of_a_folder_with_a_gap,
    "frames are kept: telecine recover": export([*FRAMES, FRAMES[0, :40]]),
    "is being written by another writer": of_two_writers,
    "exists and overwrite is False": of_a_file_that_is_there,
    "File name too long": export(FRAMES, "x" * 300 + ".mp4"),
    "the extension '' of 'clip' is not known": export(FRAMES, "clip"),
    "has no journal: there is nothing to recover": lambda: telecine.recover("clip.mp4"),
    "ignores a part: no option": export(FRAMES, encoder_options={"crff": 3}),
    "does not go with": export(FRAMES, "clip.gif", crf=3),
    "can't be opened": export(FRAMES, encoder="h264_nvenc"),
    "max_bytes=3000 can't be met": export(noise(48, 320, 240), max_bytes=3000),
    "does not play everywhere": export(FRAMES, crf=0),
    "can't be read": lambda: telecine.probe("none.mp4"),
    "does not exist": export("none.mp4"),
    "has no images": export("*.png"),
    "moov atom not found": of_a_file_that_was_not_finished,
    "transparent pixels are shown on black": export(np.zeros((4, 48, 64, 4), np.uint8)),
    "audio is an array without a rate": export(FRAMES, audio=SOUND),
    "what is beyond 1 is clipped": export(FRAMES, audio=SOUND + 3, audio_rate=48_000),
    "no frame rate is known": lambda: telecine.recommended_fps("another"),
    "is left out: audio='a.mp4' keeps it": of_a_video_with_sound,
    "needs a library for": export(FRAMES, "oss://bucket/clip.mp4"),
    "Expected str, got telecine.output.result.Video": lambda: av.open(telecine.export_video(FRAMES, "clip.mp4")),
}
# A full disk, which tests/faults have, and what is no message.
ELSEWHERE = {"No space left on device", "pip install 'telecine[…]'", "audio", "error.documentation", "video.notes"}
# What others say, warnings, and the end of another error.
NO_ERROR = {
    "Expected str, got telecine.output.result.Video",
    "does not play everywhere",
    "frames are kept: telecine recover",
    "is left out: audio='a.mp4' keeps it",
    "transparent pixels are shown on black",
    "what is beyond 1 is clipped",
}


def quoted() -> Iterator[str]:
    """What the page's first table has between backticks, before its links."""
    table = PAGE[PAGE.index("| the error says |") :].split("\n\n")[0]
    for row in table.splitlines()[2:]:
        yield from re.findall(r"`([^`]+)`", row.split(" | ")[0])


def test_all_that_the_page_quotes_is_tried() -> None:
    assert set(quoted()) - ELSEWHERE == SAID.keys()


def rows() -> dict[str, str]:
    """What each row of that table quotes first, and the heading of the section that it leads to."""
    table = PAGE[PAGE.index("| the error says |") :].split("\n\n")[0]
    found = re.findall(r"^\| `([^`]+)`.*\[(.*)\]\(#.*\) \|$", table, re.MULTILINE)
    return dict(reversed(found))  # of two rows that quote the same, the first, which is of frames


def pages_of(heading: str) -> set[str]:
    """The address of a section, as docutils makes it, and the pages to which the section leads on."""
    section = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")
    text = PAGE.split(f"### {heading}\n")[1].split("\n#")[0]
    return {f"troubleshooting.html#{section}", *(f"{page}.html" for page in re.findall(r"\]\(([\w-]+)\.md", text))}


@pytest.mark.parametrize("words", [each for each in rows() if each in SAID.keys() - NO_ERROR])
def test_the_address_of_an_error_leads_to_the_section_of_its_row_or_on_from_there(words: str) -> None:
    with pytest.raises(telecine.TelecineError) as raised:
        SAID[words]()
    address = raised.value.documentation.removeprefix(DOCUMENTATION)
    page = address if address.startswith("troubleshooting") else address.partition("#")[0]
    assert page in pages_of(rows()[words])


@pytest.mark.parametrize("words", SAID)
def test_the_words_that_the_page_quotes_are_said(words: str) -> None:
    if words.startswith("Expected str") and int(av.__version__.split(".")[0]) < 19:
        pytest.skip("PyAV takes the video as a path before 19")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            SAID[words]()
            said = []
        except (telecine.TelecineError, TypeError) as error:
            said = [str(error)]
    assert any(words in each for each in (*said, *(str(each.message) for each in warned)))


def slug_of(heading: str) -> str:
    """As GitHub and MyST make them."""
    return re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).replace(" ", "-")


def sections_of(page: str) -> list[str]:
    text = re.sub(
        r"^```.*?^```", "", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    return [slug_of(heading) for heading in re.findall(r"^#{1,3} (.*)$", text, re.MULTILINE)]


@pytest.mark.parametrize("page", ["color.md", "coming-from.md", "troubleshooting.md"])
def test_every_link_to_a_section_leads_to_one(page: str) -> None:
    assert len(set(sections_of(page))) == len(sections_of(page))
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([\w-]+\.md)?(?:#([\w-]+))?\)", text)
    assert len(links) > 5
    for other, section in links:
        assert (ROOT / "docs" / (other or page)).is_file(), other
        assert not section or section in sections_of(other or page), f"{other}#{section}"


# ---- what it says of files -------------------------------------------------------------------------------------------


def test_joining_one_clip_puts_its_index_in_front() -> None:
    with av.open("a.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=16)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for frame in FRAMES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    assert telecine.probe("a.mp4").index_in_front is False
    front = telecine.concat(["a.mp4"], "front.mp4")
    assert telecine.probe(front).index_in_front is True
    assert telecine.probe(front).frame_count == 12
    assert [frame.tolist() for frame in telecine.read_frames(front)] == [
        frame.tolist() for frame in telecine.read_frames("a.mp4")
    ]


def test_a_video_that_is_exported_again_has_its_sound_only_if_it_is_named() -> None:
    telecine.export_video(FRAMES, "a.mp4", audio=SOUND, audio_rate=48_000)
    with pytest.warns(telecine.TelecineWarning, match="is left out"):
        silent = telecine.export_video("a.mp4", "silent.mp4")
    assert telecine.probe(silent).audio is None
    heard = telecine.export_video("a.mp4", "heard.mp4", audio="a.mp4")
    assert telecine.probe(heard).audio is not None


def test_a_model_that_fails_leaves_its_frames_to_recover() -> None:
    with pytest.raises(RuntimeError) as caught:
        telecine.export_video(failing_at(8, FRAMES, RuntimeError("CUDA out of memory")), "clip.mp4")
    assert any("8 of 8 frames are kept: telecine recover" in note for note in caught.value.__notes__)
    assert Path(".clip.mp4.telecine-journal").exists()
    assert telecine.recover("clip.mp4").frame_count == 8
    assert not Path(".clip.mp4.telecine-journal").exists()


def test_an_odd_size_is_padded_in_420_and_kept_in_444() -> None:
    odd = np.zeros((8, 49, 65, 3), np.uint8)
    video = telecine.export_video(odd, "odd.mp4")
    assert (video.width, video.height, video.padding) == (66, 50, (1, 1))
    with pytest.warns(telecine.TelecineWarning, match="does not play everywhere"):
        video = telecine.export_video(odd, "exact.mp4", chroma="4:4:4")
    assert (video.width, video.height, video.padding) == (65, 49, (0, 0))


def test_a_name_that_is_cut_by_bytes_fits_a_file_system() -> None:
    (code,) = re.findall(r"^name = (.*)$", PAGE, re.MULTILINE)
    for prompt in ("a panda plays the guitar / at night: " * 20, "\N{PANDA FACE} \u732b\u304c" * 90, ".." * 200 + "/x"):
        name = eval(code, {"re": re, "prompt": prompt})
        assert 0 < len(f"{name}.mp4".encode()) <= 255
        assert "/" not in name
        assert telecine.export_video(FRAMES, f"{name}.mp4").path.name == f"{name}.mp4"
