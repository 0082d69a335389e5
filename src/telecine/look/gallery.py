"""The clips of a folder as a site of static files, which opens from a disk: a page, and posters beside it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from urllib.parse import quote

from ..deliver.playlist import LocalFolder
from ..errors import InputError, OptionError
from ..files.urls import local_path
from ..pages.page import page
from ..provenance.certificates import Pem
from ..publish.destination import naming
from ..support.in_order import in_parallel
from ..support.processors import available_processors
from .clips import Clip, ClipFolder, Stamp, row_of

SCRIPTS = ("steps.js", "transport.js", "gallery_python.js", "gallery_cards.js", "gallery_dialogs.js")
_PAGE, _POSTERS, _KNOWN = "index.html", "posters", "clips.json"
_POSTER = re.compile(r"[0-9a-f]{20}\.webp")
# Pictures and videos beside the page, also where it is a file: there no other site has anything.
_SOURCES = "img-src 'self' file: data: blob:; media-src 'self' file: blob:"
_FORM = 1  # of what is noted for the next run


def gallery(
    folder: str | os.PathLike[str],
    output: str | os.PathLike[str] = "site",
    *,
    title: str | None = None,
    trust_anchors: Pem | None = None,
) -> Path:
    """Make a gallery of the clips in a folder and its folders: a page that finds, plays, compares and explains them.

    The page is `index.html` in the output, with posters beside it. It leads to the clips where they are, by relative
    addresses: both move together, to another disk or a web server. A later run looks at new files only.

    Args:
        folder: The folder: videos and moving images in it become cards, links that lead out of it do not.
        output: The folder that the site goes to; it may be the same one.
        title: The page's title; the folder's name without.
        trust_anchors: Certificates in PEM that stand for signers, as for `read_provenance`.

    Returns:
        The path of the page.

    Raises:
        InputError: the folder is none.
        OptionError: the trust anchors hold no certificate, or the output is where no relative address leads from.
        PublishError: the output can't be written.

    >>> import numpy as np, tempfile, telecine
    >>> run = tempfile.mkdtemp()
    >>> video = telecine.export_video(np.zeros((16, 48, 64, 3), np.uint8), os.path.join(run, "clip.mp4"), fps=16)
    >>> page = telecine.gallery(run, os.path.join(run, "site"))
    >>> page.name, len(list(page.with_name("posters").iterdir()))
    ('index.html', 1)
    """
    site = os.path.abspath(local_path(output))
    posters = os.path.join(site, _POSTERS)
    clips_in = ClipFolder(folder, trust_anchors, without=posters)
    base = _address_from(site, clips_in.path)
    with naming(site, "written"):
        os.makedirs(posters, exist_ok=True)
        told_by = _told_by(clips_in.anchors)
        known = _read_known(os.path.join(site, _KNOWN), told_by)
        look = partial(_looked_at, clips_in, known, posters)
        looked = in_parallel(look, clips_in.find().items(), available_processors(), "clips")
        clips = [clip for clip in looked if clip is not None]
        rows = [row_of(each, base + _quoted(each.name), f"{_POSTERS}/{each.id}.webp") for each in clips]
        name = title or clips_in.path.name
        text = "".join(page(name, "gallery", {"clips": rows}, scripts=SCRIPTS, sources=_SOURCES))
        LocalFolder(site).put(_KNOWN, _to_be_known(clips, told_by))
        LocalFolder(site).put(_PAGE, text.encode("utf-8", "replace"))
        _remove_others(posters, {f"{each.id}.webp" for each in clips})
    return Path(output) / _PAGE


def _looked_at(folder: ClipFolder, known: Mapping[str, Clip], posters: str, found: tuple[str, Stamp]) -> Clip | None:
    """Look at a file and see to its poster, unless both was done before."""
    name, stamp = found
    clip = known.get(name)
    if clip is None or clip.stamp != stamp:
        clip = folder.read(name, stamp)
    if clip is not None and not clip.problem and not os.path.exists(os.path.join(posters, f"{clip.id}.webp")):
        with suppress(InputError):  # its card has none
            LocalFolder(posters).put(f"{clip.id}.webp", folder.poster(clip))
    return clip


def _address_from(site: str, folder: Path) -> str:
    """Give the address that leads from the site to the folder, with a slash behind, or nothing where they are one."""
    try:
        relative = os.path.relpath(folder, site)
    except ValueError as error:  # Windows' drives
        raise OptionError(f"output={site!r} is on another drive than the clips: choose a folder on theirs") from error
    return "" if relative == os.curdir else f"{_quoted(relative.replace(os.sep, '/'))}/"


def _quoted(name: str) -> str:
    return quote(os.fsencode(name))


def _told_by(anchors: bytes | None) -> str:
    """Name what the notes of a run stand on: their form, and who was trusted."""
    return f"{_FORM} {hashlib.sha256(anchors or b'').hexdigest()}"


def _read_known(path: str, told_by: str) -> dict[str, Clip]:
    """Read what the run before has noted: nothing where that is of another form, or damaged."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        noted = json.loads(Path(path).read_bytes())
        if noted["told_by"] == told_by:
            clips = [Clip(**{**row, "stamp": Stamp(*row["stamp"])}) for row in noted["clips"]]
            return {clip.name: clip for clip in clips if clip.signature != "not looked at"}
    return {}


def _to_be_known(clips: Iterable[Clip], told_by: str) -> bytes:
    return json.dumps({"told_by": told_by, "clips": [asdict(clip) for clip in clips]}).encode()


def _remove_others(folder: str, names: set[str]) -> None:
    """Remove the posters of clips that are there no more, and nothing else."""
    LocalFolder(folder).remove(name for name in os.listdir(folder) if _POSTER.fullmatch(name) and name not in names)
