"""Journals cut short, with lost pages and flipped bits: every whole fragment is recovered, and nothing that is not."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path

import pytest

import telecine
from telecine import PublishError

from ..support.helpers import assert_frames, greys, names_in, noise
from ..support.journals import JOURNAL, assert_recovers_or_says, leave_journal, packets_of, whole_pairs
from ..support.mp4 import boxes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def journal_of_ten(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("ten") / "clip.mp4"
    return leave_journal(path, greys(10), fps="24000/1001", crf=1).read_bytes()


def test_a_journal_cut_at_any_byte_gives_its_whole_fragments(journal_of_ten: bytes, tmp_path: Path) -> None:
    path, counts, whole = tmp_path / "clip.mp4", set(), greys(10)
    first_picture = journal_of_ten.index(b"mdat")
    near_boxes: set[int] = set()
    at = 0
    for _, payload in boxes(journal_of_ten):
        near_boxes |= set(range(at - 20, at + 40))
        at += len(payload) + 8
    # All in front of the first picture and around each box; of the bytes inside pictures, every 61st.
    lengths = sorted(near_boxes | {*range(first_picture), *range(first_picture, at, 61), at})
    if os.environ.get("TELECINE_SOAK"):
        lengths = list(range(at + 1))
    for length in lengths:
        if not 0 <= length <= at:
            continue
        (tmp_path / JOURNAL).write_bytes(journal_of_ten[:length])
        expected = whole_pairs(journal_of_ten[:length])
        counts.add(expected)
        if expected == 0:
            with pytest.raises(PublishError, match="holds no whole frame"):
                telecine.recover(path)
            continue
        video = telecine.recover(path)
        assert video.frame_count == video.duration * video.fps == expected
        path.unlink()
    assert counts == set(range(11))
    (tmp_path / JOURNAL).write_bytes(journal_of_ten)
    assert_frames(telecine.recover(path), whole)


def test_frames_without_the_key_frame_in_front_of_them_are_no_video(journal_of_ten: bytes, tmp_path: Path) -> None:
    first = journal_of_ten.index(b"moof") - 4
    second = journal_of_ten.index(b"moof", first + 8) - 4
    (tmp_path / JOURNAL).write_bytes(journal_of_ten[:first] + journal_of_ten[second:])
    with pytest.raises(PublishError, match="holds no whole frame"):
        telecine.recover(tmp_path / "clip.mp4")
    assert names_in(tmp_path) == [JOURNAL]


@pytest.mark.parametrize("time", [-(2**63) + 1, 2**62, 0])
def test_frames_in_front_of_a_time_that_is_wrong_are_recovered(
    time: int, journal_of_ten: bytes, tmp_path: Path
) -> None:
    data = bytearray(journal_of_ten)
    place = -1
    for _ in range(4):
        place = data.index(b"tfdt", place + 1)
    struct.pack_into(">q", data, place + 8, time)  # of the fourth frame, 64 bits (ISO/IEC 14496-12 8.8.12)
    (tmp_path / JOURNAL).write_bytes(data)
    assert telecine.recover(tmp_path / "clip.mp4").frame_count == 3


def zeroed_pages(data: bytes, seed: int) -> tuple[bytes, int]:
    """A journal some pages of which never reached the disk, and where the first of them is."""
    pages = range(1, len(data) // 4096 + 1)
    lost = random.Random(seed).sample(pages, k=random.Random(seed + 1).randint(1, len(pages)))
    torn = bytearray(data)
    for page in lost:
        torn[page * 4096 : (page + 1) * 4096] = bytes(len(torn[page * 4096 : (page + 1) * 4096]))
    return bytes(torn), min(lost) * 4096


@pytest.mark.parametrize("seed", range(40))
def test_every_frame_before_a_lost_page_is_recovered_and_none_that_is_not_whole(seed: int, tmp_path: Path) -> None:
    frames, path = noise(12, 96, 80), tmp_path / "clip.mp4"
    journal = leave_journal(path, frames, encoder_options={"bf": 3 * (seed % 2)})
    data = journal.read_bytes()
    torn, first = zeroed_pages(data, seed)
    journal.write_bytes(torn)
    least = whole_pairs(data[:first])
    if least == 0:
        with pytest.raises(PublishError, match="holds no whole frame"):
            telecine.recover(path)
        return
    video = telecine.recover(path)
    assert least <= video.frame_count <= least + 1
    found = {bytes(packet[-1]) for packet in packets_of(video)}
    journal.write_bytes(data)
    whole = [packet[-1] for packet in packets_of(telecine.recover(journal, tmp_path / "whole.mp4"))]
    assert found == set(whole[: video.frame_count])


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bits_give_a_playable_file_or_a_publish_error(seed: int, journal_of_ten: bytes, tmp_path: Path) -> None:
    path, dice = tmp_path / "clip.mp4", random.Random(seed)
    for _ in range(25):
        data = bytearray(journal_of_ten)
        for _ in range(dice.choice([1, 1, 2, 8, 64])):
            data[dice.randrange(dice.choice([1500, len(data)]))] ^= 1 << dice.randrange(8)
        assert_recovers_or_says(bytes(data), path)
