"""What the package tells an index: its version, where the links of its README lead there, its addresses."""

from __future__ import annotations

import re
import shutil
import subprocess
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest
from scikit_build_core.build import prepare_metadata_for_build_wheel

from ..support.helpers import ROOT

REPOSITORY = "https://github.com/telecine/telecine"


def metadata_of(source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Message:
    """What a wheel of the source would tell."""
    monkeypatch.chdir(source)
    folder.mkdir()
    return message_from_string((folder / prepare_metadata_for_build_wheel(str(folder)) / "METADATA").read_text())


def git(folder: Path, *arguments: str) -> None:
    author = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *author, "-C", str(folder), *arguments], check=True, capture_output=True)


def test_the_version_is_that_of_the_tag_and_after_it_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    versions = [metadata_of(source, tmp_path / "no repository", monkeypatch)["Version"]]
    git(source, "init")
    git(source, "add", ".")
    for tag in ("", "v1.2.0rc1", "v1.2.0", "", ""):
        git(source, "commit", "--allow-empty", "-m", "a change")
        if tag:
            git(source, "tag", tag)
        version = metadata_of(source, tmp_path / f"metadata {len(versions)}", monkeypatch)["Version"]
        versions.append(version.partition("+")[0])
    assert versions == ["0.0", "0.1.dev1", "1.2.0rc1", "1.2.0", "1.2.1.dev1", "1.2.1.dev2"]


def test_each_link_of_the_readme_leads_from_the_index_to_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = metadata_of(ROOT, tmp_path / "metadata", monkeypatch)
    shown = str(metadata.get_payload())
    links = re.findall(r"(!?)\[[^\]]*\]\(([^)#]+)", shown)
    assert len(links) == len(re.findall(r"\]\([^)#]", (ROOT / "README.md").read_text())) > 5
    for picture, link in links:
        here = f"{REPOSITORY}/{'raw' if picture else 'blob'}/v{metadata['Version']}/"
        assert re.match("https?://", link), link
        assert not link.startswith(here) or (ROOT / link.removeprefix(here)).exists(), link
    assert not re.search(r'(src|href)="(?!https?://)', shown)


def test_every_address_is_of_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = metadata_of(ROOT, tmp_path / "metadata", monkeypatch)
    urls = dict(each.split(", ") for each in metadata.get_all("Project-URL", ()))
    assert urls["Repository"] == REPOSITORY
    assert urls["Changelog"] == f"{REPOSITORY}/blob/HEAD/CHANGELOG.md"
    assert (ROOT / "CHANGELOG.md").exists()
    assert f"repository-code: {REPOSITORY}\nurl: {urls['Documentation']}\n" in (ROOT / "CITATION.cff").read_text()
