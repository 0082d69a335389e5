"""The report of a batch: a page that asks for nothing, fits a phone, and shows names and errors as text."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from telecine import export_video
from telecine.batch.ledger import DONE, FAILED, Entry, Ledger
from telecine.batch.report import write_report
from telecine.engines.place import Place

from ..support.browser import Browser
from ..support.helpers import greys

pytestmark = pytest.mark.slow

HOSTILE = "<script>document.body.innerText = ''</script>\"'><img src=http://there/x> \u202egnp.exe " + "long" * 3000
CLIP = Entry("", 0, "clip.mp4", DONE, 1, 0.5, 5, 25_000, "f" * 64, 64, 48, "8", "h264")


@pytest.mark.parametrize("width", [1280, 360])
def test_a_report_asks_for_nothing_and_fits_the_screen(width: int, browser: Browser, tmp_path: Path) -> None:
    export_video(greys(5), tmp_path / "clip.mp4")
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for index in range(40):
            os.link(tmp_path / "clip.mp4", tmp_path / f"{index}.mp4")
            ledger.put(replace(CLIP, id=f"{index}", index=index, output=f"{index}.mp4", seconds=0.5 + index))
        ledger.put(Entry("x", 40, HOSTILE[:200], FAILED, 3, 0.1, error=HOSTILE))
        write_report(ledger, Place(str(tmp_path)), str(tmp_path / "report.html"))
    asked, wide, pictures, text = browser.look_at(tmp_path / "report.html", width)
    assert asked == [(tmp_path / "report.html").as_uri()]
    assert wide <= width
    assert pictures == 24
    assert "39.50 s" in text
    assert "<script>document.body.innerText = ''</script>" in text
    assert "\u202e" not in text


def test_of_an_output_that_was_made_again_a_report_tells_what_it_is_now(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.put(Entry("before", 0, "clip.mp4", FAILED, 1, 0.1, error="none.npy does not exist"))
        ledger.put(replace(CLIP, id="now"))
        write_report(ledger, Place(str(tmp_path)), str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text()
    assert "<dt>jobs</dt><dd>1</dd>" in page
    assert "<dt>failed</dt><dd>0</dd>" in page
    assert "none.npy" not in page


def test_a_report_of_nothing_is_a_page_too(browser: Browser, tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        write_report(ledger, Place("s3://bucket/run"), str(tmp_path / "there" / "report.html"))
    *_, text = browser.look_at(tmp_path / "there" / "report.html", 360)
    assert text.startswith("Batch to s3://bucket/run")
    assert text.count("none") == 4
