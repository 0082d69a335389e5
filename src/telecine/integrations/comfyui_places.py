"""Where ComfyUI's nodes put their files: in its folders, under names in which dates and widgets are filled in."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import Literal, NamedTuple
from urllib.parse import urlencode

from .comfyui_values import Graph, comfyui


class Place(NamedTuple):
    """Where a file goes, and how ComfyUI's pages ask for it."""

    path: str
    entry: dict[str, str]

    @property
    def url(self) -> str:
        """The address under ComfyUI's."""
        return f"/view?{urlencode(self.entry)}"


_Folder = Literal["output", "temp"]


def place_of(prefix: str, extension: str, size: tuple[int, int] = (0, 0), folder: _Folder = "output") -> Place:
    """Give the next place of a prefix, in a folder of ComfyUI's, which refuses one that leads out of it."""
    paths = comfyui("folder_paths")
    within, name, counter, subfolder, _ = paths.get_save_image_path(prefix, paths.get_directory_by_type(folder), *size)
    file = f"{name}_{counter:05}_{extension}"
    return Place(os.path.join(within, file), {"filename": file, "subfolder": subfolder, "type": folder})


_IN_PERCENT = re.compile(r"%([^%]+)%")
_DATE = re.compile("d{1,2}|M{1,2}|h{1,2}|m{1,2}|s{1,2}|yyyy|yy")
_OF_DATE = {"d": "tm_mday", "M": "tm_mon", "h": "tm_hour", "m": "tm_min", "s": "tm_sec", "y": "tm_year"}
_UNSAFE = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')


def filled(prefix: str, graph: Graph | None) -> str:
    """Fill in the date and other nodes' widgets, which ComfyUI's pages do for its own nodes alone.

    >>> filled("%KSampler.seed%/a_%width%", {"3": {"class_type": "KSampler", "inputs": {"seed": 7}}})
    '7/a_%width%'
    """
    texts = dict(_widget_texts(graph))

    def fill(found: re.Match[str]) -> str:
        if found[1].startswith("date:"):
            return _DATE.sub(_of_now, found[1].removeprefix("date:"))
        return texts.get(found[1], found[0])

    return _IN_PERCENT.sub(fill, prefix)


def _of_now(letters: re.Match[str]) -> str:
    number = getattr(time.localtime(), _OF_DATE[letters[0][0]])
    return f"{number:0{len(letters[0])}}"[-2 if letters[0] == "yy" else 0 :]


def _widget_texts(graph: Graph | None) -> Iterator[tuple[str, str]]:
    """Give what "node.widget" stands for, by the node's name and by its title."""
    for node in (graph or {}).values():
        for widget, value in node.get("inputs", {}).items():
            if not isinstance(value, (list, dict)):  # a list is a link
                for name in (node.get("class_type"), (node.get("_meta") or {}).get("title")):
                    yield f"{name}.{widget}", _UNSAFE.sub("_", str(value))
