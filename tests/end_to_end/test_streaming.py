"""Videos that play while they grow: in a browser, from a server, beside the file that is written."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
import pytest
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

import telecine
from telecine import (
    FrameError,
    InputError,
    OptionError,
    TelecineError,
    TelecineWarning,
    VideoWriter,
    export_video,
    stream_video,
)

from ..support.browser import Browser
from ..support.chart import chart, colors_off
from ..support.helpers import Asked, assert_frames, failing_at, greys, names_in
from ..support.pipes import packets
from ..support.sounds import RATE, tone

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("temporary")]

FPS = 16
HLS_PLAYER = Path(sys.prefix) / "hls.min.js"  # which make puts there
Result = TypeVar("Result")


def key_frames(data: bytes) -> list[bool]:
    with av.open(io.BytesIO(data), "r") as container:
        return [packet.is_keyframe for packet in container.demux(video=0) if packet.size]


def time_of(data: bytes) -> Fraction:
    with av.open(io.BytesIO(data), "r") as container:
        packet = next(container.demux(video=0))
        assert packet.pts is not None
        return packet.pts * packet.time_base


# ---- fragments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "type"), [("h264", "avc1.64000A"), ("hevc", "hvc1.1.6.L30.90"), ("av1", "av01.0.00M.08")]
)
@pytest.mark.parametrize("latency", ["normal", "low"])
@pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")
def test_a_stream_is_a_beginning_and_fragments_that_begin_with_key_frames(
    codec: Any, type: str, latency: Any, tmp_path: Path, temporary: Path
) -> None:
    # In which no scene is cut, which would be a key frame.
    frames = np.stack([np.roll(greys(1)[0], index, axis=1) for index in range(20)])
    stream = stream_video(frames, fps=FPS, fragment=0.5, latency=latency, codec=codec, crf=1)
    assert stream.mime_type == f'video/mp4; codecs="{type}"'
    init, *fragments = list(stream)
    keys = [key_frames(init + each) for each in fragments]
    assert [key for each in keys for key in each] == [index % 8 == 0 for index in range(20)]
    assert [len(each) for each in keys] == ([1] * 20 if latency == "low" else [8, 8, 4])
    (tmp_path / "stream.mp4").write_bytes(b"".join([init, *fragments]))
    assert telecine.verify(tmp_path / "stream.mp4", frames).ok
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("latency", ["normal", "low"])
@pytest.mark.parametrize("seconds", [0.8, 3.0])
def test_a_stream_has_the_sound_of_the_file(latency: Any, seconds: float, tmp_path: Path) -> None:
    still = np.repeat(greys(1), 20, axis=0)
    how: dict[str, Any] = {"fps": FPS, "audio": tone(seconds), "audio_rate": RATE}
    stream = stream_video(still, latency=latency, **how)
    assert stream.mime_type == 'video/mp4; codecs="avc1.64000A,mp4a.40.2"'
    init, *fragments = list(stream)
    expected = packets(export_video(still, tmp_path / "clip.mp4", **how).path, "audio")
    assert packets(io.BytesIO(b"".join([init, *fragments])), "audio") == expected
    if latency == "normal":
        begins = [packets(io.BytesIO(init + each), "video")[0] for each in fragments]
        assert [(time, is_key) for time, is_key, _ in begins] == [(0, True), (Fraction(1, 2), True), (1, True)]
    given: list[bytes] = []
    export_video(still, tmp_path / "beside.mp4", also_to=given.append, latency=latency, **how)
    assert b"".join(given) == b"".join([init, *fragments])


def test_a_late_listener_begins_with_a_key_frame_though_there_is_sound(tmp_path: Path) -> None:
    still, broadcast = np.repeat(greys(1), 20, axis=0), telecine.Broadcast()
    how: dict[str, Any] = {"fps": FPS, "latency": "low", "audio_rate": RATE, "also_to": broadcast}
    with VideoWriter(tmp_path / "clip.mp4", **how) as writer:
        writer.write_audio(tone(2))
        writer.write(still)
    init, *late = broadcast.listen()
    first = packets(io.BytesIO(init + late[0]), "video")[0]
    assert first[:2] == (Fraction(1), True)


def test_a_stream_has_the_times_that_it_is_given() -> None:
    times = [0, 0.25, 1, 1.5]
    data = b"".join(stream_video(greys(4), timestamps=times, hold=2))
    assert [time for time, _, _ in packets(io.BytesIO(data), "video")] == times
    assert telecine.probe(io.BytesIO(data)).duration == Fraction(7, 2)


@pytest.mark.parametrize(("latency", "least"), [("normal", 9), ("low", 2)])
def test_a_fragment_comes_as_soon_as_its_frames_are_there(latency: Any, least: int) -> None:
    frames = Asked(greys(40))
    stream = stream_video(frames, fps=FPS, fragment=0.5, latency=latency)
    assert (next(stream)[4:8], frames.count) == (b"ftyp", 2)
    assert (next(stream)[4:8], frames.count) == (b"moof", least)
    stream.close()
    assert list(stream) == []


def test_a_pipe_to_another_program_plays() -> None:
    command = [
        "ffprobe",
        "-v",
        "error",
        "-count_frames",
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "csv=p=0",
        "-i",
        "-",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        for fragment in stream_video(greys(20), fps=FPS):
            process.stdin.write(fragment)
        assert process.communicate()[0].split() == [b"20"]


def test_a_model_that_fails_ends_the_stream_and_leaves_nothing(temporary: Path) -> None:
    stream = stream_video(failing_at(12, greys(20), RuntimeError("the model failed")), fps=FPS)
    with pytest.raises(RuntimeError, match="the model failed"):
        list(stream)
    assert list(stream) == []
    with pytest.raises(TelecineError, match="the stream is over"):
        _ = closed().mime_type
    assert list(temporary.iterdir()) == []


def closed() -> Any:
    stream = stream_video(greys())
    stream.close()
    return stream


def test_a_stream_that_is_dropped_leaves_nothing(temporary: Path) -> None:
    stream = stream_video(greys(20), fps=FPS)
    next(stream)
    del stream
    with stream_video(greys(20), fps=FPS) as left:
        next(left)
    assert list(temporary.iterdir()) == []


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "fragment": ({"fragment": 0}, "fragment=0 is no length: give seconds, such as 0.5"),
    "latency": ({"latency": "none"}, "latency='none' is not known: use 'normal' or 'low'"),
    "format": ({"format": "webm"}, "format='webm' is not streamed: leave it out"),
    "lossless": ({"quality": "lossless"}, "also_to= does not go with h264 in .*: use h264, hevc, av1 or vp9"),
    "limit": (
        {"max_bytes": 10000},
        "also_to= does not go with max_bytes=, since what was handed out can't be encoded again",
    ),
    "twice": ({"also_to": print}, "also_to= goes with a file: leave it out"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_can_not_be_streamed_is_refused_before_the_first_frame(case: str, temporary: Path) -> None:
    options, said = WRONG[case]
    frames = Asked(greys())
    with pytest.raises(OptionError, match=said):
        stream_video(frames, **options)
    assert frames.count == 0
    assert list(temporary.iterdir()) == []
    with pytest.raises(FrameError, match="no frames: there is nothing to write"):
        list(stream_video([]))


# ---- asyncio, a server, a browser ----------------------------------------------------------------------------------


def in_a_loop(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in a thread of its own: the browser's loop runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result(60)


def test_an_asynchronous_stream_gives_the_same() -> None:
    async def read() -> tuple[str, list[bytes]]:
        async with telecine.astream_video(greys(20), fps=FPS) as stream:
            return await stream.mime_type(), [fragment async for fragment in stream]

    with stream_video(greys(20), fps=FPS) as stream:
        assert in_a_loop(read()) == (stream.mime_type, list(stream))


def test_a_loop_does_not_open_the_file_nor_try_the_encoder(tmp_path: Path) -> None:
    threads: set[int] = set()

    class Noted(os.PathLike[str]):
        def __fspath__(self) -> str:
            threads.add(threading.get_ident())
            return str(tmp_path / "absent.mp4")

    async def read() -> None:
        threads.add(-threading.get_ident())
        stream = telecine.astream_video(Noted(), fps=FPS)
        assert threads == {-threading.get_ident()}
        with pytest.raises(InputError, match=r"absent\.mp4' does not exist"):
            await stream.mime_type()
        with pytest.raises(TelecineError, match="the stream is over"):
            await stream.mime_type()
        assert [fragment async for fragment in stream] == []
        with pytest.raises(OptionError, match="crf=99"):
            await anext(telecine.astream_video(greys(), crf=99))
        with pytest.raises(OptionError, match="is not streamed"):  # which costs nothing to look at
            telecine.astream_video(greys(), format="webm")
        closed = telecine.astream_video(Noted())
        await closed.aclose()
        assert [fragment async for fragment in closed] == []

    in_a_loop(read())
    in_loop = {-thread for thread in threads if thread < 0}
    assert len(threads) > 1
    assert not in_loop & threads


@contextmanager
def server(*routes: BaseRoute) -> Iterator[str]:
    """Run a server as long as the `with`, and give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = uvicorn.Server(uvicorn.Config(Starlette(routes=[*routes]), log_level="error"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join()


def test_a_browser_plays_the_stream_before_the_last_frame_is_written(browser: Browser) -> None:
    seen = threading.Event()

    def frames() -> Iterator[Any]:
        image = Image.fromarray(chart(720, 480))
        yield from [image] * 24
        assert seen.wait(60), "playback did not advance"
        yield from [image] * 9

    def clip(_: Request) -> Response:
        stream = stream_video(frames(), fps=FPS)
        return StreamingResponse(stream, media_type=stream.mime_type)

    def advanced(_: Request) -> Response:
        seen.set()
        return Response()

    with server(Route("/clip", clip), Route("/seen", advanced)) as address:
        loaded = browser.stream(f"{address}/clip", f"{address}/seen")
        assert (loaded.width, loaded.height) == (720, 480)
        assert loaded.duration == pytest.approx(33 / FPS, abs=0.001)
        for second in (1.5, 0.25, 2):
            shown = browser.show(second)
            assert abs(shown.time - second) < 1 / FPS
            assert colors_off(shown.rgb, (3, 3, 3)) == {}


@pytest.mark.skipif(not HLS_PLAYER.exists(), reason="npm is not installed, by which make gets hls.js")
def test_a_browser_plays_a_playlist_before_the_last_frame_is_written(browser: Browser, tmp_path: Path) -> None:
    begun, seen, path = threading.Event(), threading.Event(), tmp_path / "live" / "clip.m3u8"
    image = Image.fromarray(chart(720, 480))
    counts: list[int] = []

    def export() -> None:
        sound = (np.random.default_rng(0).random((96000, 2)) / 2).astype(np.float32)
        with VideoWriter(path, fps=FPS, fragment=0.5, audio_rate=48_000) as writer:
            writer.write_audio(sound)
            while not path.exists():
                writer.write(image)
            begun.set()
            assert seen.wait(60), "playback did not advance"
            writer.write([image] * 9)
        counts.append(writer.frame_count)

    def advanced(_: Request) -> Response:
        seen.set()
        return Response()

    exporting = threading.Thread(target=export)
    exporting.start()
    assert begun.wait(60)
    with server(Route("/seen", advanced), Mount("/live", StaticFiles(directory=path.parent))) as address:
        loaded = browser.play_list(f"{address}/live/clip.m3u8", f"{address}/seen", HLS_PLAYER)
        exporting.join(60)
        [count] = counts
        assert (loaded.width, loaded.height) == (720, 480)
        assert loaded.duration == pytest.approx(max(count / FPS, 2), abs=0.03)  # of the sound, two seconds
        assert browser.heard_bytes() > 0
        for second in (0.75, 0.25, (count - 2) / FPS):
            shown = browser.show(second)
            assert abs(shown.time - second) < 1 / FPS
            assert colors_off(shown.rgb, (3, 3, 3)) == {}


def test_a_client_that_goes_away_ends_the_model_and_leaves_nothing(temporary: Path) -> None:
    ended = threading.Event()

    def frames() -> Iterator[Any]:
        try:
            while True:
                yield from greys(8)
        finally:
            ended.set()

    async def clip(_: Request) -> Response:
        stream = telecine.astream_video(frames(), fps=FPS)
        return StreamingResponse(stream, media_type=await stream.mime_type())

    with server(Route("/clip", clip)) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"GET /clip HTTP/1.1\r\nHost: here\r\n\r\n")
            assert client.recv(20).startswith(b"HTTP/1.1 200")
        assert ended.wait(60)
    assert list(temporary.iterdir()) == []


# ---- beside a file -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov"])
def test_fragments_are_handed_out_while_the_file_is_written(name: str, tmp_path: Path) -> None:
    given: list[bytes] = []
    video = export_video(greys(20), tmp_path / name, fps=FPS, crf=1, also_to=given.append)
    assert b"".join(given) == b"".join(stream_video(greys(20), fps=FPS, crf=1))
    assert_frames(video, greys(20))
    assert names_in(tmp_path) == [name, "temporary"]
    assert telecine.probe(video).index_in_front


def test_a_listener_that_fails_costs_no_frame(tmp_path: Path) -> None:
    def fail(_: bytes) -> None:
        raise RuntimeError("it went away")

    with pytest.warns(TelecineWarning, match="also_to failed, and was given no more fragments: RuntimeError"):
        video = export_video(greys(20), tmp_path / "clip.mp4", fps=FPS, crf=1, also_to=fail)
    assert_frames(video, greys(20))
    assert "also_to failed" in video.notes[-1]


def test_a_slow_listener_slows_nothing_and_goes_on_with_a_key_frame(tmp_path: Path) -> None:
    goes_on = threading.Event()
    given: list[bytes] = []

    def slow(fragment: bytes) -> None:
        given.append(fragment)
        if len(given) == 2:
            assert goes_on.wait(60)

    frames = np.repeat(greys(1), 8, axis=0)
    writer = VideoWriter(tmp_path / "clip.mp4", fps=FPS, fragment=0.25, latency="low", also_to=slow)
    for _ in range(20):
        writer.write(frames)
    while writer.queued:
        pass
    goes_on.set()
    while len(given) < 60:
        pass
    writer.write(frames)
    with pytest.warns(TelecineWarning, match=r"also_to took longer than the encoder: \d+ fragments were not given"):
        video = writer.close()
    assert video.frame_count == 168
    times = [time_of(given[0] + each) for each in given[1:]]
    before = next(index for index, time in enumerate(times) if time != Fraction(index, FPS))
    assert 60 <= before < 160
    assert key_frames(given[0] + given[1 + before]) == [True]
    assert times[before:] == [times[before] + Fraction(index, FPS) for index in range(len(times) - before)]
    assert times[-1] == Fraction(167, FPS)


def test_listeners_come_late_and_from_anywhere(tmp_path: Path) -> None:
    async def read(listening: Any) -> list[bytes]:
        return [fragment async for fragment in listening]

    broadcast = telecine.Broadcast()
    first = broadcast.listen()
    still = np.repeat(greys(1), 20, axis=0)
    with VideoWriter(tmp_path / "clip.mp4", fps=FPS, latency="low", also_to=broadcast) as writer:
        writer.write(still)
        heard = [next(first) for _ in range(1 + 19)]
        late = broadcast.listen()
        assert [next(late) for _ in range(1 + 3)] == [heard[0], *heard[17:20]]  # of which frame 16 is the key frame
        forgotten = weakref.ref(broadcast.listen())
        assert forgotten() is None
    [last] = in_a_loop(read(first))
    assert (list(late), list(late), list(first)) == ([last], [], [])
    assert list(broadcast.listen()) == [*heard[:1], *heard[17:], last]
    assert (tmp_path / "clip.mp4").exists()


def test_listeners_are_told_of_the_end_of_a_writer_that_fails(tmp_path: Path) -> None:
    broadcast = telecine.Broadcast()
    listening = broadcast.listen()
    frames = failing_at(12, greys(20), RuntimeError("the model failed"))
    with pytest.raises(RuntimeError, match="the model failed"):
        export_video(frames, tmp_path / "clip.mp4", fps=FPS, also_to=broadcast)
    assert next(listening)[4:8] == b"ftyp"
    assert all(fragment[4:8] == b"moof" for fragment in listening)
    assert listening.lost == 0
