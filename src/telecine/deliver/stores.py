"""Stores that finished files are uploaded to by a URL, through fsspec: each file appears there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from mimetypes import guess_type
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import OptionError, PublishError
from ..formats.choose import output_of
from ..formats.images import SequenceFormat
from ..stores.addresses import OBSTORE, S3, Address, StoredPath
from .staging import MANIFEST, staged_path

# Whose `put_file` gives the file its name last. Elsewhere, as on SFTP, it is uploaded beside, and renamed.
_WHOLE = S3 | {"gs", "gcs", "az", "abfs", "abfss", "adl", "hf", "memory", "oss", OBSTORE}
_CREATES = S3 | {"gs", "gcs", "memory", OBSTORE}  # which refuse by themselves to replace what is there
_MEDIA_TYPE = dict.fromkeys(S3, "ContentType") | dict.fromkeys(("gs", "gcs", OBSTORE), "content_type")
_READ_ONLY = {"http", "https", "data", "github", "git", "zip", "tar", "libarchive", "reference"}
_PART, _PARTS_AT_ONCE = 8 << 20, 4  # in memory: no more than 32 MiB of an upload
_PIECE = 1 << 20
_PROVEN_FOR = 60.0  # seconds: of many exports to one folder only some are to ask whether they may
_MEDIA_TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".m4s": "video/iso.segment"}  # RFC 8216 4, RFC 9174


class Store:
    """A place in a store that takes a finished file, or a folder of images."""

    outlet, is_staged = None, True  # what is there appears whole

    def __init__(
        self,
        stored: StoredPath,
        format: str | None,
        overwrite: bool,
        uploaded: Callable[[int, int], object] | None = None,
    ) -> None:
        """Take a place. `uploaded` is told of the bytes. Raises OptionError where nothing can be written."""
        check_writable(stored)
        address = stored.address
        row = output_of(address.name, format)
        self._is_folder = isinstance(row, SequenceFormat)
        self.name = address.name.rstrip("/") if self._is_folder else address.name
        self.title = self.name.rpartition("/")[2]
        if not self.title:
            raise OptionError(f"{self.name!r} names a folder: name a file in it")
        self.path = staged_path(self.name, row)
        self.where: Path = stored
        self._address, self._overwrite, self._uploaded = address, overwrite, uploaded
        self._record = Path(f"{self.path}.telecine-upload")  # is there while parts may be
        # Of images that a dead process has uploaded without their list.
        self._goes_on = self._is_folder and self._record.exists()

    @property
    def was_interrupted(self) -> bool:
        """Whether a process of this machine died while it uploaded."""
        return self._record.exists()

    def prepare(self) -> None:
        """Prove what can be proved, and remove the parts that a dead process has left.

        Raises:
            PublishError: the store or the bucket can't be reached or written, or the file exists and is not to be
                replaced.
        """
        address = self._address
        there = f"{address.key.rstrip('/')}/{MANIFEST}" if self._goes_on else address.key
        _prove(address, None if self._overwrite else there)
        if self._record.exists() and (address.scheme in S3 or address.scheme not in _WHOLE):
            with address.naming("written", PublishError):
                if address.scheme in S3:
                    _abort_uploads(address, recursive=self._is_folder)
                else:
                    _remove_hidden(address, is_folder=self._is_folder)
            self._record.unlink()

    def deliver(self, finished: BinaryIO) -> None:
        """Upload a file.

        Raises:
            PublishError: that failed, and what was there still is.
        """
        with self._uploading():
            _make_folder(self._address, os.path.dirname(self._address.key))
            count = _Count(finished.seek(0, os.SEEK_END), self._uploaded)
            self._put(finished.name, self._address.key, self._overwrite, count)

    def deliver_folder(self, folder: str, names: Iterable[str]) -> None:
        """Upload the images of a folder, and last a list of them: without it, what is there is not all.

        Raises:
            PublishError: that failed. What was uploaded by then is removed, if it can be.
        """
        filesystem, key = self._address.filesystem, self._address.key.rstrip("/")
        files = [(f"{folder}/{name}", f"{key}/{name}") for name in sorted(names)]
        listed = {"images": [{"name": os.path.basename(to), "bytes": os.path.getsize(path)} for path, to in files]}
        manifest, count = f"{key}/{MANIFEST}", _Count(sum(os.path.getsize(path) for path, _ in files), self._uploaded)
        with self._uploading():
            _make_folder(self._address, key)
            older = filesystem.find(key) if filesystem.exists(key) else []
            if manifest in older:
                filesystem.rm_file(manifest)
            try:
                for path, to in files:
                    self._put(path, to, self._overwrite or self._goes_on, count)
                filesystem.pipe_file(manifest, json.dumps(listed, indent=1).encode())
            except BaseException:
                for _, to in files:
                    with contextlib.suppress(Exception):
                        filesystem.rm_file(to)
                raise
            for each in set(older) - {to for _, to in files} - {manifest}:
                filesystem.rm_file(each)

    def drop(self) -> None:
        """Do nothing: a file is there whole, or not at all."""

    @contextlib.contextmanager
    def _uploading(self) -> Iterator[None]:
        with self._address.naming("written", PublishError):
            self._record.touch(0o600)
            try:
                yield
            except FileExistsError as error:
                raise _exists(self.name) from error
            except BaseException:
                _proven.discard(self._address)
                raise
            self._record.unlink()
        _proven.add(self._address)

    def _put(self, path: str, key: str, overwrite: bool, count: _Count) -> None:
        filesystem, scheme = self._address.filesystem, self._address.scheme
        how: dict[str, Any] = {"chunksize": _PART, "max_concurrency": _PARTS_AT_ONCE} if scheme in S3 else {}
        if scheme in _MEDIA_TYPE:
            how[_MEDIA_TYPE[scheme]] = _media_type(key)
        if not overwrite and scheme in _CREATES:
            how["mode"] = "create"
        elif not overwrite and filesystem.exists(key):
            raise _exists(self.name)
        with count.of(os.path.getsize(path)) as told:
            how["callback"] = told if scheme == OBSTORE else _callback(told)
            try:
                _put_whole(self._address, key, lambda to: filesystem.put_file(path, to, **how))
            except FileExistsError:  # also of a put that was tried again, since its answer was lost: it is there
                if not _holds(self._address, key, path):
                    raise


class _Count:
    """Counts the bytes of several uploads, and tells."""

    def __init__(self, total: int, uploaded: Callable[[int, int], object] | None) -> None:
        self._total, self._uploaded = total, uploaded
        self._before = 0

    @contextlib.contextmanager
    def of(self, size: int) -> Iterator[Callable[[int], None]]:
        """Give what is told of one, and in the end tell of all of it: not every library does."""
        told = -1

        def tell(done: int) -> None:
            nonlocal told
            if self._uploaded is not None and told < done <= size:
                told = done
                self._uploaded(self._before + done, self._total)

        yield tell
        tell(size)
        self._before += size


def _callback(told: Callable[[int], None]) -> Any:
    from fsspec.callbacks import Callback

    return Callback(hooks={"bytes": lambda size, done, **_: told(done)})


def check_writable(stored: StoredPath) -> None:
    """Refuse a scheme over which nothing can be written. Raises OptionError."""
    address = stored.address
    if address.scheme in _READ_ONLY:
        raise OptionError(f"{address.name!r} can't be written over {address.scheme}: use s3, gs, az, hf …")


class StoredFolder:
    """A prefix of a store that files are put under, one by one."""

    def __init__(self, stored: StoredPath, overwrite: bool) -> None:
        """Take the place of one of the files, and whether that may be replaced."""
        self._address, self._overwrite = stored.address, overwrite

    def prepare(self) -> None:
        """Prove what can be proved. Raises PublishError."""
        _prove(self._address, None if self._overwrite else self._address.key)

    def put(self, name: str, data: bytes) -> None:
        """Put a file there in one step. Raises PublishError."""
        address = self._address
        how = {_MEDIA_TYPE[address.scheme]: _media_type(name)} if address.scheme in _MEDIA_TYPE else {}
        with address.naming("written", PublishError):
            _make_folder(address, os.path.dirname(address.key))
            _put_whole(address, self._key(name), lambda to: address.filesystem.pipe_file(to, data, **how))

    def read(self, name: str) -> bytes | None:
        """Give what a file holds; None where there is none. Raises PublishError."""
        filesystem, key = self._address.filesystem, self._key(name)
        with self._address.naming("written", PublishError):
            if not filesystem.exists(key):
                return None
            return bytes(filesystem.cat_file(key))

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, those that can be."""
        for name in names:
            with contextlib.suppress(Exception):  # of whatever library
                self._address.filesystem.rm_file(self._key(name))

    def _key(self, name: str) -> str:
        return f"{os.path.dirname(self._address.key)}/{name}"


def _put_whole(address: Address, key: str, put: Callable[[str], object]) -> None:
    """Put a file so that it appears whole: where the store does not see to that, under another name at first."""
    if address.scheme in _WHOLE:
        put(key)
        return
    beside = _beside(key)
    try:
        put(beside)
        address.filesystem.mv(beside, key)
        if address.filesystem.exists(beside):  # HDFS replaces nothing, and raises nothing
            raise OSError(errno.EIO, "it was uploaded, and could not be given its name")
    except BaseException:
        with contextlib.suppress(Exception):
            address.filesystem.rm_file(beside)
        raise


def _beside(key: str) -> str:
    return f"{os.path.dirname(key)}/.{os.path.basename(key)}.telecine-new-{os.urandom(4).hex()}"


def _make_folder(address: Address, folder: str) -> None:
    """Make a folder where a store has them, as SFTP; others have names alone."""
    if address.scheme not in _WHOLE:
        address.filesystem.makedirs(folder, exist_ok=True)


def _holds(address: Address, key: str, path: str) -> bool:
    """Tell whether what has a name is the very bytes of a file on this machine."""
    with StoredPath(address._replace(key=key)).open() as there, open(path, "rb") as here:
        if there.seek(0, os.SEEK_END) != here.seek(0, os.SEEK_END):
            return False
        there.seek(0)
        here.seek(0)
        while piece := here.read(_PIECE):
            if there.read(len(piece)) != piece:
                return False
    return True


def _media_type(name: str) -> str:
    return _MEDIA_TYPES.get(os.path.splitext(name)[1]) or guess_type(name)[0] or "application/octet-stream"


def _prove(address: Address, absent: str | None) -> None:
    """Prove that a file can be written, and that one is absent."""
    with address.naming("written", PublishError):
        if absent is not None and address.filesystem.exists(absent):
            raise _exists(address.name)
        if address not in _proven:
            _try(address)
            _proven.add(address)


def _try(address: Address) -> None:
    """Try what can be tried without a trace."""
    filesystem, folder = address.filesystem, os.path.dirname(address.key)
    if address.scheme in S3:
        _prove_upload(address)
    elif address.scheme == OBSTORE:
        filesystem.check(address.key)
    elif address.scheme == "hf":
        filesystem.resolve_path(address.key)  # of which it asks whether the repository is there
    elif address.scheme not in _WHOLE:
        while folder.strip("/") and not filesystem.exists(folder):  # which is to be made
            folder = os.path.dirname(folder)
        trial = _beside(f"{folder}/{os.path.basename(address.key)}")
        filesystem.pipe_file(trial, b"")
        filesystem.rm(trial)


class _Proven:
    """Folders of stores in which a file could be written a moment ago, so that it need not be tried again."""

    def __init__(self) -> None:
        # By the filesystem itself: others that are equal to it may have found other credentials.
        self._when: dict[tuple[int, str], tuple[weakref.ref[object], float]] = {}

    def __contains__(self, address: Address) -> bool:
        filesystem, when = self._when.get(_folder_of(address), (None, 0.0))
        is_same = filesystem is not None and filesystem() is address.filesystem
        return is_same and time.monotonic() - when < _PROVEN_FOR

    def add(self, address: Address) -> None:
        """Say that one could be written."""
        now = time.monotonic()
        for folder, (_, when) in list(self._when.items()):
            if now - when >= _PROVEN_FOR:
                self._when.pop(folder, None)
        self._when[_folder_of(address)] = weakref.ref(address.filesystem), now

    def discard(self, address: Address) -> None:
        """Say that one could not."""
        self._when.pop(_folder_of(address), None)


_proven = _Proven()


def _folder_of(address: Address) -> tuple[int, str]:
    return id(address.filesystem), os.path.dirname(address.key.rstrip("/"))


def _exists(name: str) -> PublishError:
    return PublishError.of(errno.EEXIST, f"{name!r} exists and overwrite is False", name)


def _prove_upload(address: Address) -> None:
    """Begin an upload, and end it without a part: nothing is seen of it, and who may not write is told."""
    bucket, key, _ = address.filesystem.split_path(address.key)
    call: Callable[..., Any] = address.filesystem.call_s3
    begun = call("create_multipart_upload", Bucket=bucket, Key=key)
    call("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=begun["UploadId"])


def _remove_hidden(address: Address, is_folder: bool) -> None:
    """Remove what a dead process has uploaded under the names that `_put_whole` gives at first."""
    filesystem, key = address.filesystem, address.key.rstrip("/")
    folder, of_ours = (key, r".+") if is_folder else (os.path.dirname(key), re.escape(os.path.basename(key)))
    hidden = re.compile(rf"\.{of_ours}\.telecine-new-[0-9a-f]{{8}}")
    for each in filesystem.ls(folder, detail=False) if filesystem.exists(folder) else []:
        if hidden.fullmatch(os.path.basename(each)):
            filesystem.rm(each)


def _abort_uploads(address: Address, recursive: bool) -> None:
    bucket, key, _ = address.filesystem.split_path(address.key)
    call: Callable[..., Any] = address.filesystem.call_s3
    for each in call("list_multipart_uploads", Bucket=bucket, Prefix=key).get("Uploads", []):
        if each["Key"] == key or (recursive and each["Key"].startswith(f"{key.rstrip('/')}/")):
            call("abort_multipart_upload", Bucket=bucket, Key=each["Key"], UploadId=each["UploadId"])
