"""Pages in a real Chromium: what they ask for, what they complain of, their manners; and frames that carry a number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from .browser import Browser
from .helpers import ROOT, Clip

NODE = ROOT / ".venv" / "node" / "node_modules"
BITS, CELL = 8, 16  # a number is a row of white and black cells, the lowest bit first

# Give the number in a canvas, from the middles of its cells.
READ_NUMBER = f"""canvas => {{
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const context = copy.getContext("2d");
    context.drawImage(canvas, 0, 0);
    const {{data}} = context.getImageData(0, {CELL // 2}, canvas.width, 1);
    let number = 0;
    for (let bit = 0; bit < {BITS}; bit++) if (data[4 * (bit * {CELL} + {CELL // 2})] > 127) number += 1 << bit;
    return number;
}}"""


def numbered(count: int, height: int = 96, width: int = 160, first: int = 0) -> Clip:
    """Make frames whose top rows say their number, over noise that is each frame's own."""
    frames = np.random.default_rng(first).integers(40, 90, (count, height, width, 3), np.uint8)
    for number in range(count):
        for bit in range(BITS):
            level = 235 if (number + first) >> bit & 1 else 16
            frames[number, :CELL, bit * CELL : (bit + 1) * CELL] = level
    return frames


@dataclass
class Looked:
    """A page that is open, the addresses outside of it that it asked for, and what it complained of."""

    page: Page
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def until(self, condition: str) -> None:
        """Wait until an expression is true; in a page whose policy forbids `eval`, `wait_for_function` can't."""
        self.page.evaluate(
            f"""new Promise((done, failed) => {{
                const end = Date.now() + 30000;
                (function look() {{
                    if ({condition}) done();
                    else if (Date.now() > end) failed(new Error({condition!r} + " did not come true"));
                    else setTimeout(look, 10);
                }})();
            }})"""
        )

    def serious(self) -> list[str]:
        """Give what axe-core finds of serious or critical faults, skipping the test where it is not there."""
        source = NODE / "axe-core" / "axe.min.js"
        if not source.exists():
            pytest.skip("axe-core is not there: npm could not bring it")
        self.page.evaluate(source.read_text(encoding="utf-8"))
        found: list[dict[str, Any]] = self.page.evaluate("axe.run().then(found => found.violations)")
        return [
            f"{each['id']}: {node['html'][:200]}"
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    def is_too_wide(self) -> bool:
        """Tell whether the page is wider than the screen."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@contextmanager
def looked_at(
    browser: Browser, address: str | Path, width: int = 1280, height: int = 800, dark: bool = False
) -> Iterator[Looked]:
    """Open a page by its address or its file, as long as the `with`."""
    url = address.absolute().as_uri() if isinstance(address, Path) else address
    page = browser.new_page(width, height, dark)
    looked = Looked(page)
    page.on("request", lambda request: looked.asked.append(request.url) if not _is_within(request.url, url) else None)
    page.on("pageerror", lambda error: looked.errors.append(str(error)))
    page.on("console", lambda message: looked.errors.append(message.text) if message.type == "error" else None)
    try:
        page.goto(url)
        yield looked
    finally:
        page.close()


def _is_within(asked: str, url: str) -> bool:
    return asked == url or asked.startswith(("data:", "blob:"))
