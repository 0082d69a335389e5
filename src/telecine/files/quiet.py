"""What libraries print: of Pillow and its libtiff it is dropped, and in a file that is opened it has no place."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

_STANDARD = 2  # the last descriptor of stdin, stdout and stderr
_lock = threading.Lock()
_readers = 0
_handler_before: int | None = None


def take_closed_standard_descriptors() -> None:
    """Open the null device where one is closed, for good: what a library prints would go into the next file opened."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STANDARD:
        pass
    os.close(descriptor)


@contextlib.contextmanager
def pillow_warnings_ignored() -> Iterator[None]:
    """Drop what Pillow warns of in a file that it reads all the same: what matters is in the error that it raises.

    Python's filters belong to the whole process, so only this much is dropped while it lasts.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"PIL\.")
        yield


@contextlib.contextmanager
def quiet_libtiff(image: Image.Image) -> Iterator[None]:
    """Drop what libtiff prints to standard error of a TIFF that is damaged, while its pixels are decoded."""
    set_handler = _setter_of_handler() if image.format == "TIFF" else None
    if set_handler is None:
        yield
        return
    _begin(set_handler)
    try:
        yield
    finally:
        _end(set_handler)


def _begin(set_handler: Callable[[int | None], int | None]) -> None:
    global _readers, _handler_before
    with _lock:
        if _readers == 0:
            _handler_before = set_handler(None)
        _readers += 1


def _end(set_handler: Callable[[int | None], int | None]) -> None:
    global _readers
    with _lock:
        _readers -= 1
        if _readers == 0:
            set_handler(_handler_before)


@functools.cache
def _setter_of_handler() -> Callable[[int | None], int | None] | None:
    """Find `TIFFSetErrorHandler` of the libtiff that Pillow is linked to; None where it is not to be found."""
    import ctypes  # start-up: few read a TIFF

    from PIL import _imaging

    try:
        function = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (OSError, AttributeError):
        return None
    function.restype, function.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    setter: Callable[[int | None], int | None] = function
    return setter
