"""A picture at a path: whole and synced before it has its name, in place of what is there or not at all."""

from __future__ import annotations

import os

from ..errors import OptionError
from ..files.urls import url_in
from ..publish.publication import Publication


class ImageFile:
    """A path at which a picture is put. Making one proves that it can be, and leaves the path as it was."""

    def __init__(self, path: str | os.PathLike[str], formats: dict[str, str], option: str, overwrite: bool) -> None:
        """Take a path, given as an option of this name, whose extension is one of the formats'.

        Raises:
            OptionError: it is a URL, or has another extension.
            PublishError: it can't be written or replaced.
        """
        accepted = " or ".join(formats)
        if not isinstance(path, (str, os.PathLike)) or url_in(path):
            raise OptionError(f"{option}={path!r} is no path of this machine: give one that ends in {accepted}")
        extension = os.path.splitext(os.fspath(path))[1].lower()
        if extension not in formats:
            raise OptionError(
                f"{option}={os.fspath(path)!r} has another extension: name a file that ends in {accepted}"
            )
        self.path, self.format, self._overwrite = os.fspath(path), formats[extension], overwrite
        Publication(self.path, overwrite).discard()

    def put(self, image: bytes) -> None:
        """Put a picture there. Raises PublishError."""
        publication = Publication(self.path, self._overwrite)
        try:
            publication.put([image])
        except BaseException:
            publication.discard()
            raise
