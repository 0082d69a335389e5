"""Where a batch goes: a folder or a prefix of a store, and how large what is there is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from ..deliver.staging import MANIFEST
from ..errors import InputError, OptionError
from ..files.files import stored_path
from ..files.urls import StorageOptions, local_path, scheme_of, url_in
from ..publish.destination import naming

_PROOF = ".telecine-proof"


class Place(NamedTuple):
    """A folder or a URL under which outputs are, and what its store is opened with. It goes from process to process."""

    prefix: str
    storage_options: StorageOptions | None = None

    @classmethod
    def of(cls, output: str | os.PathLike[str], storage_options: StorageOptions | None) -> Place:
        """Take a prefix.

        Raises:
            OptionError: it is none, or the options go with no URL.
        """
        if not isinstance(output, (str, os.PathLike)) or not os.fspath(output):
            raise OptionError(f"output={output!r} is no folder and no URL: name where the batch goes")
        if url := url_in(output):
            if url.lower().startswith("memory://"):
                raise OptionError(
                    f"output={url!r} is the memory of one process, and a batch has several: name a folder"
                )
            return cls(url.rstrip("/"), storage_options)
        if storage_options is not None:
            raise OptionError("storage_options= goes with a URL, such as s3://bucket/run/: leave it out")
        return cls(local_path(output))

    @property
    def is_url(self) -> bool:
        """Whether it is in a store."""
        return url_in(self.prefix) is not None

    @property
    def stores(self) -> Mapping[str, StorageOptions]:
        """What inputs are opened with that are in stores of its scheme, by that scheme."""
        scheme = scheme_of(self.prefix)
        return {} if scheme is None or self.storage_options is None else {scheme: self.storage_options}

    def path_of(self, name: str) -> str:
        """Give the path or the URL of an output."""
        return f"{self.prefix}/{name}" if self.is_url else os.path.join(self.prefix, *name.split("/"))

    def prove(self) -> None:
        """Make the folder, or prove that files can be put under the URL. Raises PublishError."""
        if not self.is_url:
            with naming(self.prefix, "written"):
                os.makedirs(self.prefix, exist_ok=True)
            return
        from ..deliver.stores import StoredFolder, check_writable  # start-up: few batches go to a store

        stored = stored_path(f"{self.prefix}/{_PROOF}", self.storage_options)
        assert stored is not None
        check_writable(stored)
        StoredFolder(stored, overwrite=True).prepare()

    def sizes(self) -> Mapping[str, int]:
        """Give how many bytes each output under the prefix has. Raises InputError."""
        return self._sizes_in_store() if self.is_url else _LocalSizes(self.prefix)

    def _sizes_in_store(self) -> dict[str, int]:
        stored = stored_path(self.prefix, self.storage_options)
        assert stored is not None
        address = stored.address
        with address.naming("read", InputError):
            address.filesystem.invalidate_cache()
            found = address.filesystem.find(address.key, detail=True)
            address.filesystem.invalidate_cache()  # or what comes is not there for who reads it
        start = len(address.key.rstrip("/")) + 1
        files = {key[start:]: int(each["size"] or 0) for key, each in found.items()}
        folders: Counter[str] = Counter()  # of images, whose list is not of them
        for name, size in files.items():
            folders[os.path.dirname(name)] += size if os.path.basename(name) != MANIFEST else 0
        return {**folders, **files}


class _LocalSizes(dict[str, int]):
    """Sizes of files in a folder, each looked up when it is asked for; of a folder of images, of all of them."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def get(self, name: str, default: int | None = None) -> int | None:  # type: ignore[override]
        """Give how many bytes an output has."""
        path = os.path.join(self._folder, *name.split("/"))
        try:
            if os.path.isdir(path):
                with os.scandir(path) as entries:
                    return sum(each.stat().st_size for each in entries if each.is_file())
            return os.stat(path).st_size
        except OSError:
            return default
