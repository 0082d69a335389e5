"""Reads damaged files one after the other, in a process of its own: native code that crashes or hangs takes it along.

It prints the number of each case as it begins, and what failed. Those of several kinds follow each other.
"""

from __future__ import annotations

import random
import resource
import signal
import sys
import tempfile
import traceback
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import telecine
from telecine import TelecineError
from telecine.container.chunks import PNG
from telecine.frames.recognise import Recognizer
from telecine.frames.sources import open_source
from telecine.sound.recognise import AudioRecognizer

from ..support.journals import assert_recovers_or_says

FAILED = "failed:"
_SECONDS = 60  # a case that takes longer hangs
_MEMORY = 3 << 30
_LENGTHS = [0, 1, 2, 8, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


def mutated(seeds: list[bytes], dice: random.Random) -> bytes:
    """Damage one of several files: bits, lengths, pieces gone, twice, moved, of another one; or it is cut off."""
    data = bytearray(dice.choice(seeds))
    for _ in range(dice.choice([1, 1, 1, 2, 4, 16])):
        # Most of what a file says of itself is in front.
        at = dice.randrange(min(len(data), dice.choice([64, 1024, len(data)])) or 1)
        size = dice.choice([1, 1, 2, 4, 16, 200])
        match dice.randrange(8):
            case 0:
                data[at : at + 1] = bytes([data[at] ^ 1 << dice.randrange(8)]) if data else b""
            case 1:
                data[at : at + size] = dice.randbytes(len(data[at : at + size]))
            case 2:
                width, order = dice.choice([1, 2, 4]), dice.choice(["big", "little"])
                length = dice.choice([*_LENGTHS, len(data), len(data) - at]) % (1 << 8 * width)
                data[at : at + width] = length.to_bytes(width, "big" if order == "big" else "little")
            case 3:
                del data[at : at + size]
            case 4:
                data[at:at] = data[at : at + size]
            case 5:
                data[at : at + size] = bytes(len(data[at : at + size]))
            case 6:
                other = dice.choice(seeds)
                start = dice.randrange(len(other))
                data[at : at + size] = other[start : start + size]
            case 7:
                del data[at + size :]
    return _with_checksums(data) if data[:8] == PNG and dice.randrange(2) else bytes(data)


def _with_checksums(data: bytearray) -> bytes:
    """Mend the checksums of a PNG's chunks: who reads it would look no further."""
    at = len(PNG)
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 <= len(data):
            data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(data)


def _frames(path: Path) -> None:
    for _ in telecine.read_frames(path, alpha=True):
        pass


def _as_frames(path: Path) -> None:
    for _ in Recognizer().frames(open_source(path).frames):
        pass


def _sound(path: Path) -> None:
    for _ in AudioRecognizer().pieces(path):
        pass


def _concat(path: Path) -> None:
    telecine.concat([path, path], path.with_name(f"joined{path.suffix}"))


def _strip(path: Path) -> None:
    telecine.strip(path, path.with_name(f"stripped{path.suffix}"))


def _recover(path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as alone:
        assert_recovers_or_says(path.read_bytes(), Path(alone, "clip.mp4"))


_Readers: TypeAlias = list[Callable[[Path], object]]
_LOOK: _Readers = [telecine.probe, _frames, telecine.read_timestamps, _as_frames]
_OF_KINDS: dict[str, _Readers] = {
    "mp4 mov mkv webm": [*_LOOK, _sound, _strip, _concat],
    "gif webp png apng": [*_LOOK, _strip],
    "avif tiff exr jpeg xmp.png": _LOOK,
    "avi ts ogg flv h264": [*_LOOK, _sound],
    "npy npz safetensors": [_as_frames],
    "wav flac mp3": [_sound],
    "c2pa.mp4 c2pa.png": [telecine.read_provenance],
    "telecine-journal": [_recover],
}
READERS = {kind: readers for kinds, readers in _OF_KINDS.items() for kind in kinds.split()}


def read_case(kind: str, seeds: list[bytes], case: int, folder: Path) -> None:
    """Read one damaged file by one of its readers; anything but an error of ours is raised."""
    dice = random.Random(case)
    path = folder / f"case.{kind.rpartition('.')[2]}"
    path.write_bytes(mutated(seeds, dice))
    with suppress(TelecineError):
        dice.choice(READERS[kind])(path)


def main(folder: str, first: str, count: str, *kinds: str) -> None:
    """Read so many cases of each kind, from one on, of the files in a folder's folders named after the kinds."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    seeds = {kind: [each.read_bytes() for each in sorted(Path(folder, kind).glob(f"*.{kind}"))] for kind in kinds}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(int(first), int(count) * len(kinds)):
            kind = kinds[number // int(count)]
            print(number, flush=True)
            signal.alarm(_SECONDS)
            try:
                read_case(kind, seeds[kind], number, Path(scratch))
            except BaseException:  # such as PyO3's PanicException
                said = " | ".join(traceback.format_exc().splitlines()[-12:])
                print(FAILED, kind, number, said, flush=True)
        signal.alarm(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
