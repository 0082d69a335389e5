"""The site of docs: what its pages name, and, where `make docs` has built it, how it opens in a browser."""

from __future__ import annotations

import re
from collections import Counter

import pytest

import telecine
import telecine.compat

from ..support.browser import Browser
from ..support.helpers import ROOT
from .command_page import PAGE, page

SITE = ROOT / "out" / "docs"
NARROW = 360  # pixels: a small phone


def names_in_the_reference() -> Counter[str]:
    """What the pages of the reference document, by full names."""
    found = Counter[str]()
    for reference in (ROOT / "docs").glob("api-*.md"):
        module = ""
        text = reference.read_text(encoding="utf-8")
        for directive, name in re.findall(r"^\.\. (\w+):: ([\w.]+)(?:\(\))?$", text, re.M):
            if directive == "currentmodule":
                module = name
            else:
                found[name if name.startswith("telecine.") else f"{module}.{name}"] += 1
    return found


def test_the_reference_has_every_public_name_once() -> None:
    documented = names_in_the_reference()
    for package in (telecine, telecine.batch, telecine.compat):
        assert {f"{package.__name__}.{name}" for name in package.__all__} - documented.keys() == set()
    assert [name for name, count in documented.items() if count > 1] == []


def test_the_page_of_the_command_is_made_of_its_help() -> None:
    """After a change `python -m tests.end_to_end.command_page` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("name", [each.name for each in ROOT.glob("*.md")])
def test_the_links_of_pages_beside_the_site_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!\w+:)([^)#]+)#?([^)]*)\)", text):
        assert (ROOT / target).is_file(), target
        assert not anchor or anchor in anchors_of(target), f"{target}#{anchor}"


def anchors_of(target: str) -> set[str]:
    """Those that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", (ROOT / target).read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.slow
@pytest.mark.skipif(not SITE.is_dir(), reason="`make docs` has not built the site")
def test_the_site_asks_the_network_for_nothing_and_fits_a_phone(browser: Browser) -> None:
    pages = sorted(SITE.rglob("*.html"))
    assert len(pages) > len([*(ROOT / "docs").glob("*.md")])  # and the search, the index
    for each in pages:
        asked, width, _, text = browser.look_at(each, NARROW)
        assert [url for url in asked if not url.startswith(SITE.as_uri())] == [], each
        assert width <= NARROW, each
        assert text.strip(), each
