"""Files of one array: `.npy`, `.npz`, `.safetensors`. Nothing is unpickled; no room is made that a file can't fill."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import InputError, MissingDependencyError
from ..files.files import opened_file, said_of
from .recognise import Frames

_LONGEST_HEADER = 10_000  # characters, NumPy's own bound, which it looks at when it has read them all


def is_array(name: str) -> bool:
    """Tell whether a path is of a file of arrays, by its extension."""
    return name.lower().endswith(ARRAY_EXTENSIONS)


def extension_of_array(file: BinaryIO) -> str | None:
    """Tell by its first bytes whether an open file is one of arrays, and give the extension that it would have."""
    file.seek(0)
    head = file.read(9)
    if head.startswith(b"\x93NUMPY"):  # NEP 1
        return ".npy"
    if head.startswith(b"PK\x03\x04"):  # of a ZIP file (APPNOTE 4.3.7)
        return ".npz"
    # Safetensors: the length of a JSON object, and the object.
    is_safetensors = head[8:] == b"{" and int.from_bytes(head[:8], "little") <= file.seek(0, os.SEEK_END)
    return ".safetensors" if is_safetensors else None


def read_array(path: str, key: str | None = None, called: str | None = None) -> Frames:
    """Give the array in a file, which errors call so or else by its path, in place where it is not compressed.

    Raises:
        InputError: it can't be read, or holds none, or several of which no `key` names one.
        MissingDependencyError: a `.safetensors` file without the package for it.
    """
    name = called or path
    with opened_file(path) as file, said_of(name, "an array"):
        return next(read for extension, read in _READERS.items() if path.lower().endswith(extension))(name, file, key)


def _npy(name: str, file: BinaryIO, key: str | None) -> npt.NDArray[Any]:
    if key is not None:
        raise InputError(f"{name!r} holds one array, which has no name: leave key={key!r} out")
    header = _header_of(file)
    if header.dtype.hasobject:
        raise ValueError("it holds Python objects")
    order: Literal["F", "C"] = "F" if header.is_fortran else "C"
    return np.memmap(file, header.dtype, "r", header.length, header.shape, order)


def _npz(name: str, file: BinaryIO, key: str | None) -> npt.NDArray[Any]:
    with np.load(file, allow_pickle=False) as archive:
        array_name = _chosen(list(archive.files), name, key)
        member = next(each for each in archive.zip.infolist() if each.filename.removesuffix(".npy") == array_name)
        with archive.zip.open(member) as data:
            header = _header_of(data)
        needed = math.prod(header.shape) * header.dtype.itemsize
        if needed > member.file_size:
            raise ValueError(f"it has {member.file_size:,} bytes, its shape and dtype take {needed:,}")
        array: npt.NDArray[Any] = archive[array_name]
    return array


class _Header(NamedTuple):
    """What an array is by its header, which is so many bytes long."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[Any]
    length: int


def _header_of(file: Any) -> _Header:
    """Read the header of an array, and refuse one that is too long to be one."""
    head = io.BytesIO(file.read(_LONGEST_HEADER))
    read = _HEADERS.get(np.lib.format.read_magic(head))
    if read is None:
        raise ValueError("its header is of another version than 1 or 2")
    return _Header(*read(head), head.tell())


_HEADERS: dict[tuple[int, int], Callable[[io.BytesIO], tuple[tuple[int, ...], bool, np.dtype[Any]]]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def _safetensors(name: str, opened: BinaryIO, key: str | None) -> Frames:
    try:
        from safetensors import safe_open  # an optional dependency
    except ImportError as error:
        raise MissingDependencyError(f"{name!r} needs safetensors: pip install 'telecine[cli]'") from error
    for framework in ("numpy", "pt"):  # NumPy has no bfloat16: PyTorch does
        try:
            with safe_open(opened.name, framework=framework) as file:
                tensor: Frames = file.get_tensor(_chosen(list(file.keys()), name, key))
                return tensor
        except (TypeError, AttributeError):
            continue
        except ImportError as error:
            raise MissingDependencyError(f"{name!r} holds bfloat16, which needs torch to read") from error
    raise InputError(f"{name!r} holds a dtype that can't be read")


def _chosen(names: list[str], path: str, key: str | None) -> str:
    held = f"{path!r} holds {len(names)} arrays ({', '.join(names)})"
    if key is not None and key not in names:
        raise InputError(f"{held}, and none is called {key!r}")
    if key is None and len(names) != 1:
        raise InputError(f"{held}: one is accepted, the frames; key= names one of several")
    return names[0] if key is None else key


_READERS: dict[str, Callable[[str, BinaryIO, str | None], Frames]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
}
ARRAY_EXTENSIONS = tuple(_READERS)
