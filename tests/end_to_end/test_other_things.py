"""Files that name other things, or take more than they hold: nothing but the file is opened, and one error says so."""

from __future__ import annotations

import io
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import telecine
from telecine import InputError, OptionError, Provenance, PublishError, TelecineError
from telecine.frames.recognise import count_frames
from telecine.frames.sources import open_frames

from ..support.certificates import identity
from ..support.helpers import noise
from ..support.journals import JOURNAL

FRAMES = noise(3, 48, 32)

# What FFmpeg or Pillow would follow, run or draw, if it was let: {secret} is a video beside, {url} a server's address.
TEXTS = {
    "a list of files": "ffconcat version 1.0\nfile {secret}\n",
    "a list without its mark": "file '{secret}'\n",
    "a playlist of HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n"
    "#EXTINF:9,\n{url}/a.ts\n#EXTINF:9,\n{secret}\n#EXT-X-ENDLIST\n",
    "a manifest of DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    '<AdaptationSet><Representation id="1" bandwidth="9"><BaseURL>{url}/a.mp4</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "a description of a session": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\n"
    "c=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 26\n",
    "a reference of QuickTime": "RTSPtext\n{url}/a.mov\n",
    "PostScript": "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 48 32\n%%EndComments\n({secret}) run showpage\n%%EOF\n",
    "a drawing": '<svg xmlns="http://www.w3.org/2000/svg" width="48" height="32"><image href="{url}/a.png"/></svg>',
    "an ANSI picture": "\x1b[31mhello\x1b[0m world\r\n" * 50,
    "subtitles": "1\n00:00:00,000 --> 00:00:09,000\nhello\n",
    "an AviSynth script": 'AviSource("{secret}")\n',
    "a filter": "movie={secret}[out0]\n",
}
NAMES = ["a.mp4", "a.mov", "a.mkv", "a.gif", "a.webp", "a.png", "a.apng", "a.avif", "a.jpg", "a.tif", "a.exr", "a.bmp"]
NAMES += ["a.tga", "a.wav", "a.npy", "a.npz", "a.safetensors", "a.txt", "a.m3u8", "a.concat", "a.eps", "a"]


def recover(path: Path) -> object:
    (path.parent / JOURNAL).write_bytes(path.read_bytes())
    return telecine.recover(path.with_name("clip.mp4"))


# Each way to have a file read, into a folder where nothing else is.
READERS: dict[str, Callable[[Path], object]] = {
    "probe": telecine.probe,
    "read_frames": lambda path: list(telecine.read_frames(path)),
    "read_frames with alpha": lambda path: list(telecine.read_frames(path, alpha=True)),
    "read_timestamps": telecine.read_timestamps,
    "frames": lambda path: telecine.export_video(path, path.with_name("out.mp4")),
    "a list of images": lambda path: telecine.export_video([path], path.with_name("out.mp4")),
    "audio": lambda path: telecine.export_video(FRAMES, path.with_name("out.mp4"), audio=path),
    "verify": lambda path: telecine.verify(path, FRAMES),
    "verify against it": lambda path: telecine.verify(path.parent / "aside" / "secret.mp4", path),
    "strip": telecine.strip,
    "strip to": lambda path: telecine.strip(path, path.with_name("out.mp4")),
    "concat": lambda path: telecine.concat([path], path.with_name("out.mp4")),
    "recover": recover,
}


class Asked(HTTPServer):
    """A server that remembers what it was asked for."""

    paths: list[str]


@pytest.fixture
def server() -> Iterator[Asked]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert isinstance(self.server, Asked)
            self.server.paths.append(self.path)
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            pass

    with Asked(("127.0.0.1", 0), Handler) as asked:
        asked.paths = []
        thread = threading.Thread(target=asked.serve_forever)
        thread.start()
        yield asked
        asked.shutdown()
        thread.join()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "aside").mkdir()
    telecine.export_video(FRAMES, tmp_path / "aside" / "secret.mp4")
    return tmp_path / "aside" / "secret.mp4"


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a file that is there once Ghostscript was started."""
    mark = tmp_path / "aside" / "started"
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("gs", "gswin32c", "gswin64c", "inkscape", "rsvg-convert"):
        (programs / name).write_text(f"#!/bin/sh\n: > '{mark}'\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    return mark


@pytest.mark.slow
@pytest.mark.parametrize("what", TEXTS)
def test_a_text_that_names_other_things_is_no_picture_nor_sound_and_opens_none(
    tmp_path: Path, what: str, secret: Path, server: Asked, started: Path
) -> None:
    text = TEXTS[what].format(secret=secret.relative_to(tmp_path), url=f"http://127.0.0.1:{server.server_port}")
    for name in NAMES:
        path = tmp_path / name
        path.write_bytes(text.encode())
        for reader, read in READERS.items():
            with pytest.raises(TelecineError) as raised:
                read(path)
            expected = PublishError if reader == "recover" else InputError
            assert type(raised.value) is expected, f"{reader} of {name}: {raised.value!r}"
            assert "\n" not in str(raised.value)
            (tmp_path / JOURNAL).unlink(missing_ok=True)
        assert path.read_bytes() == text.encode()
        path.unlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["aside", "programs"]
    assert server.paths == []
    assert not started.exists()


@pytest.mark.skipif(os.name != "posix", reason="no such files")
@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a device"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str, secret: Path) -> None:
    for name in NAMES:
        path = tmp_path / name
        match kind:
            case "a pipe":
                os.mkfifo(path)
            case "a folder":
                path.mkdir()
            case _:
                path.symlink_to("/dev/zero")
        for reader, read in READERS.items():
            if reader != "recover":
                with pytest.raises(InputError) as raised:
                    read(path)
                assert kind in str(raised.value) or "has no images" in str(raised.value), (reader, name)
        path.rmdir() if kind == "a folder" else path.unlink()


@pytest.mark.skipif(os.name != "posix", reason="no pipes")
def test_a_pipe_is_no_ingredient_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "input.png")
    me = identity()
    provenance = Provenance(certificate=me.chain, private_key=me.pem(), inputs=[tmp_path / "input.png"])
    with pytest.raises(OptionError, match=r"the ingredient .*input\.png.* it is a pipe, not a file"):
        telecine.export_video(FRAMES, tmp_path / "clip.mp4", provenance=provenance)


# ---- what takes more than it holds ---------------------------------------------------------------------------------


def tiff_of(directories: list[tuple[int, bytes]], size: int) -> bytes:
    """Give a TIFF with bytes at their places, the first of which is its first directory."""
    data = bytearray(size)
    data[:8] = struct.pack("<2sHI", b"II", 42, directories[0][0])
    for at, content in directories:
        data[at : at + len(content)] = content
    return bytes(data)


def overlapping() -> bytes:
    """Directories of 4096 entries, each of which starts 8 bytes after the one before and leads to the next."""
    count, entries = 5000, 4096
    places = [8 + 8 * index for index in range(count)]
    headers = [(at, struct.pack("<H", entries)) for at in places]
    return tiff_of(headers + [(at + 2 + 12 * entries, struct.pack("<I", at + 8)) for at in places], places[-1] + 50_000)


def chained() -> bytes:
    count = 40_000
    return tiff_of([(8 + 6 * at, struct.pack("<HI", 0, 8 + 6 * (at + 1))) for at in range(count)], 8 + 6 * (count + 1))


def shared() -> bytes:
    """One directory of as many entries as can be, of each of which the value is all of the file."""
    count = 65535
    size = 14 + 12 * count
    entries = b"".join(struct.pack("<HHII", tag, 1, size, 0) for tag in range(count))
    return tiff_of([(8, struct.pack("<H", count) + entries)], size)


@pytest.mark.slow
@pytest.mark.parametrize("made", [overlapping, chained, shared])
@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_a_tiff_of_more_pages_than_it_can_hold_is_refused(tmp_path: Path, made: Callable[[], bytes], name: str) -> None:
    (tmp_path / name).write_bytes(made())
    assert count_frames([tmp_path / name]) == 1
    for given in (tmp_path / name, [tmp_path / name]):
        with pytest.raises(InputError, match="is damaged: its pages say more than a file of its size can hold"):
            telecine.export_video(given, tmp_path / "clip.mp4")


def test_pages_that_share_a_profile_of_colours_are_read(tmp_path: Path) -> None:
    pages = [Image.fromarray(frame) for frame in noise(40, 6, 4)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], icc_profile=bytes(3000))
    assert count_frames([tmp_path / "a.tif"]) == 40


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(bits: int, extra: bytes) -> bytes:
    file = io.BytesIO()
    gray = Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8)) if bits == 16 else Image.new("RGB", (8, 8))
    gray.save(file, "PNG")
    return file.getvalue()[:33] + extra + file.getvalue()[33:]


BOMB = zlib.compress(bytes(70 << 20), 9)
BOMBS = {
    "zTXt": chunk(b"zTXt", b"a\0\0" + BOMB),
    "iTXt": chunk(b"iTXt", b"a\0\1\0en\0a\0" + BOMB),
    "iCCP": chunk(b"iCCP", b"a\0\0" + BOMB),
    "many": chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 20), 9)) * 70,
}


@pytest.mark.slow
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", BOMBS)
def test_a_png_whose_texts_inflate_without_end_is_refused(tmp_path: Path, kind: str, bits: int) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(bits, BOMBS[kind]))
    for data in (png(bits, BOMBS[kind]), png(bits, b"") + b"between" + png(bits, BOMBS[kind])):
        path.write_bytes(data)
        with pytest.raises(InputError, match="its texts inflate to more than 67,108,864 bytes"):
            telecine.probe(path)
    path.write_bytes(png(bits, BOMBS[kind]))
    with pytest.raises(InputError):  # Pillow's words, of 8 bits
        telecine.export_video(path, tmp_path / "clip.mp4")


@pytest.mark.parametrize("bits", [8, 16])
def test_a_png_with_texts_is_read(tmp_path: Path, bits: int) -> None:
    text = zlib.compress(b"a panda" * 1000)
    (tmp_path / "a.png").write_bytes(
        png(bits, chunk(b"zTXt", b"a\0\0" + text) + chunk(b"iTXt", b"b\0\1\0en\0b\0" + text) + chunk(b"zTXt", b"no"))
    )
    assert telecine.probe(tmp_path / "a.png").width == 8
    assert len(list(telecine.read_frames(tmp_path / "a.png"))) == 1


@pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")
def test_an_error_repeats_a_few_of_the_lines_that_ffmpeg_says(tmp_path: Path) -> None:
    telecine.export_video(FRAMES, tmp_path / "a.mkv")
    data = (tmp_path / "a.mkv").read_bytes()
    segment = data.index(bytes.fromhex("18538067"))
    unknown = bytes.fromhex("01ffffffffffffff")
    tags = (
        bytes.fromhex("1254c367") + unknown + (bytes.fromhex("7373") + unknown + bytes.fromhex("67c8") + unknown) * 1000
    )
    (tmp_path / "a.mkv").write_bytes(data[: segment + 4] + unknown + tags)
    with pytest.raises(InputError, match=r"(?m); and \d+ more$") as raised:
        telecine.probe(tmp_path / "a.mkv")
    assert len(str(raised.value)) < 2000


def test_a_file_of_boxes_without_end_is_refused_where_its_manifest_is_asked_for(tmp_path: Path) -> None:
    telecine.export_video(FRAMES, tmp_path / "a.mp4")
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data + b"\0\0\0\x08free" * 70_000)
    with pytest.raises(InputError, match="is of more than 65,536 boxes"):
        telecine.read_provenance(tmp_path / "a.mp4")
    (tmp_path / "a.mp4").write_bytes(data + b"\0\0\0\x08free" * 1000)
    assert telecine.read_provenance(tmp_path / "a.mp4").state == "no manifest"


def test_the_array_is_that_of_the_file_that_was_looked_at(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(FRAMES))
    found = open_frames(tmp_path / "a.npy")
    assert isinstance(found, np.memmap)
    assert np.array_equal(found, FRAMES)
    np.save(tmp_path / "b.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(InputError, match="holds Python objects"):
        open_frames(tmp_path / "b.npy")
