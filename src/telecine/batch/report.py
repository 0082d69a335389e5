"""The report of a batch: one page of HTML that asks the network for nothing."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable, Sequence

from PIL import Image

from ..deliver.playlist import LocalFolder
from ..engines.place import Place
from ..errors import TelecineError
from ..pages.page import as_text, data_url, still_page
from ..publish.destination import naming
from ..read.frames import read_frames
from .ledger import DONE, FAILED, Entry, Ledger

_SLOWEST, _FAILURES, _POSTERS = 12, 200, 24  # so many are shown
_POSTER = 240  # pixels wide
_BARS = 40

_BODY = """<h1>{title}</h1>
<dl>{facts}</dl>
<h2>Times and sizes</h2>
<div class="charts">{charts}</div>
<h2>Slowest</h2>
<div class="wide">{slowest}</div>
<h2>Failures</h2>
<div class="wide">{failures}</div>
<h2>Clips</h2>
<div class="posters">{posters}</div>
"""


def write_report(ledger: Ledger, place: Place, path: str) -> None:
    """Write the report of a ledger's outputs, each as it was made last. Posters are the first frames of some clips.

    Raises:
        PublishError: it can't be written.
    """
    text = page_of(list(ledger.latest()), place)
    target = os.path.realpath(path)
    with naming(path, "written"):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        LocalFolder(os.path.dirname(target)).put(os.path.basename(target), text.encode("utf-8", "replace"))


def page_of(entries: Sequence[Entry], place: Place) -> str:
    """Give the page of a ledger's entries."""
    done = [each for each in entries if each.status == DONE]
    failed = [each for each in entries if each.status == FAILED]
    slowest = sorted(done, key=lambda each: -each.seconds)[:_SLOWEST]
    rows = [(each.output, f"{each.seconds:.2f} s", f"{each.frames}", _bytes(each.bytes)) for each in slowest]
    wrong = [(f"{each.index}", each.output, f"{each.attempts}", each.error) for each in failed[:_FAILURES]]
    title = f"Batch to {place.prefix}"
    body = _BODY.format(
        title=as_text(title),
        facts="".join(_facts(entries, done, failed)),
        charts=_chart("seconds a clip", [each.seconds for each in done], "s")
        + _chart("size of a clip", [each.bytes / 1e6 for each in done], "MB"),
        slowest=_table(("output", "seconds", "frames", "size"), rows),
        failures=_table(("row", "output", "attempts", "why"), wrong),
        posters="".join(_posters(done, place)),
    )
    return "".join(still_page(title, "report", body))


def _facts(entries: Sequence[Entry], done: Sequence[Entry], failed: Sequence[Entry]) -> Iterable[str]:
    seconds, size = sum(each.seconds for each in done), sum(each.bytes for each in done)
    for name, value, is_bad in (
        ("jobs", f"{len(entries)}", False),
        ("done", f"{len(done)}", False),
        ("failed", f"{len(failed)}", bool(failed)),
        ("frames", f"{sum(each.frames for each in done)}", False),
        ("size", _bytes(size), False),
        ("seconds of work", f"{seconds:.1f}", False),
    ):
        mark = ' class="bad"' if is_bad else ""
        yield f"<div><dt>{name}</dt><dd{mark}>{as_text(value)}</dd></div>"


def _chart(title: str, values: Sequence[float], unit: str) -> str:
    """Draw how many values are in each of some ranges of equal width."""
    if not values:
        return f"<figure><figcaption>{title}: none</figcaption></figure>"
    low, high = min(values), max(values)
    step = (high - low) / _BARS or 1
    counts = [0] * _BARS
    for value in values:
        counts[min(_BARS - 1, int((value - low) / step))] += 1
    most = max(counts)
    bars = "".join(
        f'<rect x="{at * 10}" y="{100 - 100 * count / most:.1f}" width="9" height="{100 * count / most:.1f}"/>'
        for at, count in enumerate(counts)
        if count
    )
    middle = sorted(values)[len(values) // 2]
    said = f"{title}: {low:.3g} to {high:.3g} {unit}, half of them up to {middle:.3g} {unit}"
    drawn = (
        f'<svg viewBox="0 0 {_BARS * 10} 100" preserveAspectRatio="none" role="img" aria-label="{said}">{bars}</svg>'
    )
    return f"<figure>{drawn}<figcaption>{said}</figcaption></figure>"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "<p>none</p>"
    head = "".join(f'<th scope="col">{each}</th>' for each in headings)
    body = "".join("<tr>" + "".join(f"<td>{as_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _posters(done: Sequence[Entry], place: Place) -> Iterable[str]:
    step = max(1, len(done) // _POSTERS)
    for each in done[::step][:_POSTERS]:
        with contextlib.suppress(TelecineError, OSError):  # it was moved since, or is a folder
            frames = read_frames(place.path_of(each.output), storage_options=place.storage_options)
            yield _poster(Image.fromarray(next(iter(frames))), each.output)


def _poster(frame: Image.Image, name: str) -> str:
    frame.thumbnail((_POSTER, _POSTER * 2))
    file = io.BytesIO()
    frame.save(file, "JPEG", quality=80)
    size = f'width="{frame.width}" height="{frame.height}"'
    picture = f'<img {size} alt="" src="{data_url("image/jpeg", file.getvalue())}">'
    return f"<figure>{picture}<figcaption>{as_text(name)}</figcaption></figure>"


def _bytes(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 10_000 else f"{count} bytes"
