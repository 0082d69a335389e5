"""What the last step of an export would be refused is refused before the first frame, with the way out."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import telecine
from telecine import MissingDependencyError, OptionError, PublishError, TelecineError, VideoWriter, export_video
from telecine.cli.commands import run
from telecine.publish.publication import Publication

from ..support.helpers import OLDER, Asked, assert_frames, assert_one_line, greys, names_in
from ..support.mounts import attribute, image_of, mounted, run_or_skip

KINDS: dict[str, dict[str, Any]] = {"clip.mp4": {}, "clip.gif": {}, "clip": {"format": "png"}}


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file or a folder of images that exists, alone in its folder."""
    path: Path = tmp_path / "folder" / request.param
    path.parent.mkdir()
    if path.suffix:
        path.write_bytes(OLDER)
    else:
        path.mkdir()
        (path / "000000.png").write_bytes(OLDER)
    return path


def held(path: Path) -> bytes:
    return path.read_bytes() if path.suffix else (path / "000000.png").read_bytes()


def assert_refused(path: Path, number: int, said: str) -> None:
    """It is refused before a frame is asked for, in one line, and nothing has changed."""
    before, frames = names_in(path.parent), Asked(greys())
    with pytest.raises(PublishError, match=said) as refused:
        export_video(frames, path, **KINDS[path.name])
    assert_one_line(refused.value, number, path)
    assert frames.count == 0
    assert names_in(path.parent) == before
    if path.name in before:
        assert held(path) == OLDER


def assert_published(path: Path, **options: Any) -> None:
    for count in (5, 3):
        video = export_video(greys(count), path, **options)
        assert video.frame_count == count
        if path.suffix:
            assert telecine.probe(path).frame_count == count
        else:
            assert len(names_in(path)) == count
    assert path.name in names_in(path.parent)
    assert not [name for name in names_in(path.parent) if "telecine" in name]


# ---- what can't be replaced ----------------------------------------------------------------------------------------


def test_a_mount_point_is_refused(target: Path, tmp_path: Path) -> None:
    """As of a file or folder that a container is given, of the same filesystem or of another."""
    source = tmp_path / "source"
    source.mkdir() if target.is_dir() else source.write_bytes(OLDER)
    if target.is_dir():
        (source / "000000.png").write_bytes(OLDER)
    with mounted(target, "--bind", source):
        assert_refused(target, errno.EBUSY, "can't be replaced: .* busy: it is a mount point.*: mount its folder, or")
    assert_published(target, **KINDS[target.name])


@pytest.mark.parametrize("letter", ["i", "a"])
def test_what_is_immutable_or_can_only_grow_is_refused(letter: str, target: Path) -> None:
    with attribute(target, letter):
        assert_refused(target, errno.EPERM, "can't be replaced: Operation not permitted: it is immutable")
    assert_published(target, **KINDS[target.name])


@pytest.mark.parametrize("letter", ["i", "a"])
def test_a_folder_that_takes_no_names_or_keeps_them_is_refused(letter: str, target: Path) -> None:
    with attribute(target.parent, letter):
        frames = Asked(greys())
        with pytest.raises(PublishError, match="Operation not permitted") as refused:
            export_video(frames, target, **KINDS[target.name])
        assert_one_line(refused.value, errno.EPERM, target)
        assert frames.count == 0
        assert held(target) == OLDER


def test_a_folder_of_images_of_a_lower_layer_is_refused_and_a_file_replaced(target: Path, tmp_path: Path) -> None:
    """A container's image is such a layer: of an overlay, a folder in it can't be renamed."""
    upper, work, at = tmp_path / "upper", tmp_path / "work", tmp_path / "merged"
    for each in (upper, work, at):
        each.mkdir()
    layers = f"lowerdir={target.parent},upperdir={upper},workdir={work},redirect_dir=off"
    with mounted(at, "-t", "overlay", "overlay", "-o", layers):
        path = at / target.name
        if target.is_dir():
            assert_refused(path, errno.EXDEV, "it comes from a lower layer")
        else:
            assert_published(path)
        assert_published(at / "new", format="png")
        assert_published(at / "new.mp4")
    assert held(target) == OLDER


# ---- where nothing can be written ----------------------------------------------------------------------------------


def test_a_read_only_filesystem_is_refused(target: Path, tmp_path: Path) -> None:
    at = tmp_path / "disk"
    at.mkdir()
    with mounted(at, "--bind", target.parent):
        run_or_skip("mount", "-o", "remount,ro,bind", at)
        assert_refused(at / target.name, errno.EROFS, "Read-only file system: choose a folder that is not on")


@pytest.mark.parametrize("option", ["size=8k", "nr_inodes=2"])
@pytest.mark.parametrize("name", KINDS)
def test_a_full_disk_is_refused(option: str, name: str, tmp_path: Path) -> None:
    at = tmp_path / "disk"
    at.mkdir()
    with mounted(at, "-t", "tmpfs", "-o", option, "tmpfs"):
        with contextlib.suppress(OSError):
            (at / "rest").write_bytes(bytes(8192))
        assert_refused(at / name, errno.ENOSPC, "can't be written: No space left on device")


# ---- what other filesystems lack -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["vfat", "exfat", "ext2"])
@pytest.mark.parametrize("overwrite", [True, False])
def test_every_filesystem_takes_a_new_file_and_a_folder(kind: str, overwrite: bool, tmp_path: Path) -> None:
    with image_of(kind, tmp_path) as disk:
        for name, options in KINDS.items():
            export_video(greys(3), disk / name, overwrite=overwrite, **options)
            with pytest.raises(PublishError, match="exists and overwrite is False"):
                export_video(greys(3), disk / name, overwrite=False, **options)
            assert_published(disk / name, **options)


def refusing(*numbers: int) -> Callable[..., Any]:
    """Raise the first number, the first time, and so on."""
    left = list(numbers)

    def call(*_: object, **__: object) -> None:
        number = left.pop(0) if len(left) > 1 else left[0]
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize(
    ("step", "overwrite"), [("replace", True), ("link", False), ("unlink", True), ("rename", True), ("mkdir", True)]
)
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_step_that_is_refused_is_refused_before_the_first_frame(
    step: str, overwrite: bool, number: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not overwrite:
        path.unlink()
    frames = Asked(greys())
    with monkeypatch.context() as patched:
        patched.setattr(os, step, refusing(number))
        with pytest.raises(PublishError, match=os.strerror(number)) as refused:
            export_video(frames, path, overwrite=overwrite)
    assert_one_line(refused.value, number, path)
    assert frames.count == 0
    if overwrite:
        assert path.read_bytes() == OLDER
    export_video(greys(), path)  # what is left is no hindrance
    assert names_in(path.parent) == ["clip.mp4"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS])
def test_without_hard_links_a_new_file_is_written_all_the_same(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refusing(number))
    assert_frames(export_video(greys(), tmp_path / "clip.mp4", overwrite=False), greys())
    assert names_in(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize("name", KINDS)
def test_the_trial_leaves_the_target_as_it_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    export_video(greys(), path, **KINDS[name])
    before = [(each.name, each.stat()) for each in [path, *(path.iterdir() if path.is_dir() else ())]]
    writer = VideoWriter(path, **KINDS[name])
    assert [(each, (path if each == name else path / each).stat()) for each, _ in before] == before
    assert len(names_in(tmp_path)) == 2
    writer.abort()
    assert names_in(tmp_path) == [name]


# ---- what is kept of the old file ----------------------------------------------------------------------------------


def attributes_of(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


def access_list(*entries: tuple[int, int, int]) -> bytes:
    """A POSIX access list as the kernel has it: version 2, then tag, permissions and identifier of each entry."""
    return (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little") + permissions.to_bytes(2, "little") + (identifier % 2**32).to_bytes(4, "little")
        for tag, permissions, identifier in entries
    )


USER_OBJECT, USER, GROUP_OBJECT, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
LIST = access_list((USER_OBJECT, 6, -1), (USER, 4, 64003), (GROUP_OBJECT, 0, -1), (MASK, 4, -1), (OTHER, 0, -1))


def set_attribute(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except (OSError, AttributeError) as error:
        pytest.skip(f"no {name} here: {error}")


@pytest.mark.parametrize("name", KINDS)
def test_attributes_and_access_lists_are_kept(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    export_video(greys(), path, **KINDS[name])
    set_attribute(path, "user.project", b"night sea")
    set_attribute(path, "system.posix_acl_access", LIST)
    mode = path.stat().st_mode
    export_video(greys(3), path, **KINDS[name])
    assert attributes_of(path) == {"user.project": b"night sea", "system.posix_acl_access": LIST}
    assert path.stat().st_mode == mode


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", KINDS)
def test_root_leaves_a_users_file_to_the_user(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    export_video(greys(), path, **KINDS[name])
    os.chown(path, 64003, 64004)
    path.chmod(0o750)
    export_video(greys(3), path, **KINDS[name])
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (64003, 64004, 0o750)


def test_where_the_list_can_not_be_given_only_the_owner_reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its group's permissions are those of all that are on the list."""
    set_attribute(path, "system.posix_acl_access", LIST)
    monkeypatch.setattr(os, "setxattr", refusing(errno.ENOTSUP))
    export_video(greys(), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# ---- URLs ----------------------------------------------------------------------------------------------------------

NOT_READ: dict[str, tuple[Any, str]] = {
    "chained": (
        "simplecache::s3://b/x.mp4",
        "'simplecache::s3://b/x.mp4' is a URL of a scheme that fsspec does not know",
    ),
    "unknown": ("nowhere://b/x.mp4", "'nowhere://b/x.mp4' is a URL of a scheme that fsspec does not know"),
    "capitals": ("NOWHERE://b/x", "'NOWHERE://b/x' is a URL of a scheme that fsspec does not know"),
    "no library": ("oss://b/x.mp4?a=b", "'oss://b/x.mp4' needs a library for oss:// URLs"),
    "another machine": ("file://host/x.mp4", "is a URL: only local files are read: download it, and give its path"),
    "Path": (Path("http://host/x.mp4"), "is what pathlib makes of a URL: only local files are read: download it"),
    "nothing there": ("Memory://nowhere/x.mp4", "'Memory://nowhere/x.mp4' can't be read: No such file or directory"),
}
NOT_WRITTEN: dict[str, tuple[Any, str]] = {
    "read only": ("https://host/x.mp4?a=b", "'https://host/x.mp4' can't be written over https: use s3, gs, az, hf"),
    "chained": (
        "simplecache::s3://b/x.mp4",
        "'simplecache::s3://b/x.mp4' is a URL of a scheme that fsspec does not know",
    ),
    "bytes": (b"nowhere://b/x.mp4", "'nowhere://b/x.mp4' is a URL of a scheme that fsspec does not know"),
    "no library": ("oss://b/x.mp4", "'oss://b/x.mp4' needs a library for oss:// URLs"),
    "another machine": ("file://host/x.mp4", "is a URL: only local files are written here: give a local path"),
    "Path": (Path("s3://bucket/x.mp4"), "is what pathlib makes of a URL: .* to export_video the URL as text"),
    "Path of a file": (Path("file:///x.mp4"), "is what pathlib makes of a URL: .* to export_video the URL as text"),
}


@pytest.mark.parametrize("case", NOT_WRITTEN)
@pytest.mark.parametrize("options", [{}, {"format": "png"}], ids=["file", "folder"])
def test_a_url_is_never_taken_for_a_path_to_write_to(
    case: str, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url, said = NOT_WRITTEN[case]
    frames = Asked(greys())
    with pytest.raises((OptionError, MissingDependencyError), match=said):
        export_video(frames, url, **options)
    assert frames.count == 0
    assert names_in(tmp_path) == []


def a_probe(url: Any) -> object:
    return telecine.probe(url)


def a_read(url: Any) -> object:
    return next(telecine.read_frames(url))


def times(url: Any) -> object:
    return telecine.read_timestamps(url)


def an_export(url: Any) -> object:
    return export_video(url, "out.mp4")


def an_image(url: Any) -> object:
    return export_video([url], "out.mp4")


def sound(url: Any) -> object:
    return export_video(greys(), "out.mp4", audio=url)


def a_verification(url: Any) -> object:
    return telecine.verify(url, greys())


def a_strip(url: Any) -> object:
    return telecine.strip(url)


@pytest.mark.parametrize("case", NOT_READ)
@pytest.mark.parametrize("reading", [a_probe, a_read, times, an_export, an_image, sound, a_verification, a_strip])
def test_a_url_is_never_taken_for_a_path_to_read(
    reading: Callable[[Any], object], case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url, said = NOT_READ[case]
    with pytest.raises(TelecineError, match=said) as refused:
        reading(url)
    assert "\n" not in str(refused.value)
    assert [name for name in names_in(tmp_path) if name != ".out.mp4.telecine-journal"] == []


@pytest.mark.parametrize(
    "arguments", [["export", "frames.npy", "-o", "nowhere://b/x.mp4"], ["recover", "nowhere://b/x.mp4"]]
)
def test_the_command_refuses_a_url_in_one_line(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("frames.npy", greys())
    assert run(arguments) == 2
    assert capsys.readouterr().err.startswith("telecine: 'nowhere://b/x.mp4' is a URL of a scheme that ")
    assert names_in(tmp_path) == ["frames.npy"]


def test_a_file_url_is_its_path(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/a%20%C3%A9.mp4"
    video = export_video(greys(), url)
    assert video.path == tmp_path / "a é.mp4"
    assert telecine.probe(url).path == video.path
    assert_frames(telecine.recover(leave(tmp_path / "b.mp4")), greys())
    assert telecine.verify(url, greys()).problems == ()


def leave(path: Path) -> str:
    def failing() -> Iterator[Any]:
        yield from greys()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        export_video(failing(), path)
    return f"file://localhost{path}"


def test_a_folder_that_looks_like_a_scheme_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:").mkdir()
    export_video(greys(), Path("s3:/clip.mp4"))
    assert names_in(tmp_path / "s3:") == ["clip.mp4"]


# ---- what is made of another file ----------------------------------------------------------------------------------


@pytest.mark.parametrize("exists", [True, False])
def test_what_is_made_of_a_file_is_for_nobody_else_and_without_its_attributes(exists: bool, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    if exists:
        path.write_bytes(OLDER)
        path.chmod(0o644)
        set_attribute(path, "user.xdg.origin.url", b"https://host/secret")
    publication = Publication(path, at_most=0o640)
    publication.open_finished().write(b"new")
    assert {each.stat().st_mode & 0o137 for each in tmp_path.iterdir() if each != path} == {0}
    publication.commit()
    assert path.read_bytes() == b"new"
    assert (path.stat().st_mode & 0o777, os.listxattr(path)) == (0o640, [])
