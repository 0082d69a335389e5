"""ComfyUI as its nodes meet it: small modules that follow its interface, or those of a checkout of it.

They follow folder_paths.py, comfy/model_management.py, comfy/utils.py, comfy/cli_args.py and comfy_api/latest.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import av
import pytest
import torch

_NAMES = ("folder_paths", "comfy.model_management", "comfy.utils", "comfy.cli_args", "comfy_api.latest")


@dataclass
class Host:
    """A ComfyUI with folders of its own, by its modules."""

    folder: Path
    folder_paths: Any
    management: Any
    utils: Any
    arguments: Any
    api: Any
    is_real: bool

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def input(self) -> Path:
        return self.folder / "input"

    def path_of(self, entry: dict[str, str]) -> Path:
        """Give the file that a page would ask for."""
        return Path(self.folder_paths.get_directory_by_type(entry["type"]), entry["subfolder"], entry["filename"])

    def files(self) -> list[str]:
        return sorted(str(each.relative_to(self.output)) for each in self.output.rglob("*") if each.is_file())


def stand_in(folder: Path, patch: pytest.MonkeyPatch) -> Host:
    """Put modules into place that follow ComfyUI's interface."""
    modules = (_folder_paths(folder), _management(), _utils(), _cli_args(), _api())
    return _host(folder, dict(zip(_NAMES, modules, strict=True)), patch, is_real=False)


def real(folder: Path, checkout: str, patch: pytest.MonkeyPatch) -> Host:
    """Put the modules of a checkout into place."""
    patch.syspath_prepend(checkout)
    importlib.import_module("comfy.cli_args").args.cpu = True
    modules = {name: importlib.import_module(name) for name in _NAMES}
    for kind in ("output", "input", "temp"):
        getattr(modules["folder_paths"], f"set_{kind}_directory")(str(folder / kind))
    return _host(folder, modules, patch, is_real=True)


def _host(folder: Path, modules: dict[str, Any], patch: pytest.MonkeyPatch, is_real: bool) -> Host:
    for kind in ("output", "input", "temp"):
        (folder / kind).mkdir()
    for name in ("comfy", "comfy_api"):
        if not is_real:
            patch.setitem(sys.modules, name, ModuleType(name))
    for name, module in modules.items():
        patch.setitem(sys.modules, name, module)
    folder_paths, management, utils, arguments, api = modules.values()
    return Host(folder, folder_paths, management, utils, arguments, api, is_real)


# ---- modules ---------------------------------------------------------------------------------------------------------


def _module(name: str, **values: Any) -> Any:
    module = ModuleType(name)
    vars(module).update(values)
    return module


def _folder_paths(folder: Path) -> Any:
    folders = {kind: str(folder / kind) for kind in ("output", "input", "temp")}

    def get_save_image_path(
        prefix: str, within: str, width: int = 0, height: int = 0
    ) -> tuple[str, str, int, str, str]:
        prefix = os.path.normpath(prefix.replace("%width%", str(width)).replace("%height%", str(height)))
        subfolder, name = os.path.split(prefix)
        full = os.path.join(within, subfolder)
        if os.path.commonpath((within, os.path.abspath(full))) != within:
            raise Exception("**** ERROR: Saving image outside the output folder is not allowed.")
        os.makedirs(full, exist_ok=True)
        taken = [each[len(name) + 1 :].split("_")[0] for each in os.listdir(full) if each.startswith(f"{name}_")]
        return full, name, max([int(each) for each in taken if each.isdecimal()], default=0) + 1, subfolder, prefix

    def annotated_filepath(name: str) -> tuple[str, str | None]:
        for kind, path in folders.items():
            if name.endswith(mark := f"[{kind}]"):
                return name.removesuffix(mark).rstrip(), path
        return name, None

    def filter_files_content_types(files: list[str], kinds: list[str]) -> list[str]:
        return [each for each in files if each.endswith((".mp4", ".webm", ".mov", ".mkv"))]

    return _module(
        "folder_paths",
        get_save_image_path=get_save_image_path,
        annotated_filepath=annotated_filepath,
        filter_files_content_types=filter_files_content_types,
        get_input_directory=lambda: folders["input"],
        get_directory_by_type=folders.get,
    )


def _management() -> Any:
    class InterruptProcessingException(Exception):  # noqa: N818 - its name there
        pass

    def interrupt_current_processing(value: bool = True) -> None:
        module.interrupted = value

    def throw_exception_if_processing_interrupted() -> None:
        if module.interrupted:
            module.interrupted = False
            raise InterruptProcessingException

    module = _module(
        "comfy.model_management",
        interrupted=False,
        InterruptProcessingException=InterruptProcessingException,
        interrupt_current_processing=interrupt_current_processing,
        throw_exception_if_processing_interrupted=throw_exception_if_processing_interrupted,
        get_free_memory=lambda device: 1 << 30,
    )
    return module


def _utils() -> Any:
    class ProgressBar:
        def __init__(self, total: int) -> None:
            self.total = total

        def update_absolute(self, value: int, total: int | None = None, preview: object = None) -> None:
            if module.PROGRESS_BAR_HOOK is not None:
                module.PROGRESS_BAR_HOOK(value, self.total, preview, node_id=None)

    def set_progress_bar_global_hook(hook: Any) -> None:
        module.PROGRESS_BAR_HOOK = hook

    module = _module("comfy.utils", ProgressBar=ProgressBar, PROGRESS_BAR_HOOK=None)
    module.set_progress_bar_global_hook = set_progress_bar_global_hook
    return module


def _cli_args() -> Any:
    return _module("comfy.cli_args", args=SimpleNamespace(disable_metadata=False))


# ---- VIDEO -----------------------------------------------------------------------------------------------------------


@dataclass
class VideoComponents:
    images: torch.Tensor
    frame_rate: Fraction
    audio: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    alpha: torch.Tensor | None = None


class VideoInput:
    """ComfyUI's base class: what it can't know of a subclass it makes of its components."""

    def get_components(self) -> VideoComponents:
        raise NotImplementedError

    def get_stream_source(self) -> str | io.BytesIO:
        raise AssertionError("a file is encoded for us")

    def get_dimensions(self) -> tuple[int, int]:
        images = self.get_components().images
        return images.shape[2], images.shape[1]

    def get_duration(self) -> float:
        parts = self.get_components()
        return float(len(parts.images) / parts.frame_rate)


class VideoFromComponents(VideoInput):
    def __init__(self, components: VideoComponents, color_space: str = "sRGB") -> None:
        self._components, self._color_space = components, color_space

    def get_components(self) -> VideoComponents:
        return self._components

    def get_color_space(self) -> str:
        return self._color_space


class VideoFromFile(VideoInput):
    """As the latest: it may be cut, which is what its components are, and not the file. Here the start is not cut."""

    def __init__(self, file: str | io.BytesIO, *, start_time: float = 0, duration: float = 0) -> None:
        self._file, self._duration = file, duration

    def get_stream_source(self) -> str | io.BytesIO:
        if isinstance(self._file, io.BytesIO):
            self._file.seek(0)
        return self._file

    def get_dimensions(self) -> tuple[int, int]:
        with av.open(self.get_stream_source(), "r") as container:
            return container.streams.video[0].width, container.streams.video[0].height

    def get_duration(self) -> float:
        with av.open(self.get_stream_source(), "r") as container:
            assert container.duration is not None
            whole = container.duration / av.time_base
        return min(self._duration, whole) if self._duration else whole

    def get_components(self) -> VideoComponents:
        if not self._duration:
            raise AssertionError("all frames are taken into memory")
        with av.open(self.get_stream_source(), "r") as container:
            rate = container.streams.video[0].average_rate
            assert rate is not None
            frames = [torch.from_numpy(each.to_ndarray(format="rgb24")) / 255 for each in container.decode(video=0)]
        return VideoComponents(torch.stack(frames[: round(self._duration * rate)]), Fraction(str(rate)))


def _api() -> Any:
    types = SimpleNamespace(VideoComponents=VideoComponents)
    made = SimpleNamespace(VideoFromFile=VideoFromFile, VideoFromComponents=VideoFromComponents)
    return _module("comfy_api.latest", Types=types, InputImpl=made)
