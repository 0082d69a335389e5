"""ComfyUI's nodes: Save Video, Load Video and Compare Videos. A folder in its custom_nodes has them by an import."""

# Node classes are written as ComfyUI asks for them: INPUT_TYPES and the others are its names.
# ruff: noqa: N802

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import UnionType
from typing import Any, Literal, TypeAlias, Union, cast, get_args, get_origin

from ..errors import OptionError
from ..formats.choices import FormatName
from ..formats.choose import OUTPUTS, extension_of
from ..formats.containers import CONTAINERS
from ..formats.images import MOVING_IMAGES, SEQUENCES
from ..frames.options import options_of, type_of
from ..frames.recognise import Frames
from ..look.compare import compare
from ..look.stand_in import plays
from ..metadata.tags import Json
from ..output.options import ExportOptions, WriterOptions
from ..output.result import Video
from ..pictures.arrange import side_by_side
from ..read.probe import probe
from ..support.notes import warn
from ..support.rate import FrameRate
from ..writer import VideoWriter
from .comfyui_places import Place, filled, place_of
from .comfyui_values import (
    AudioDict,
    Clip,
    Graph,
    ImageOrVideo,
    Sound,
    audio_of,
    check_memory,
    clip_of,
    comfyui,
    floats_of,
    frames_of_file,
    held,
    sound_of,
    times_of,
    video_of,
    video_of_frames,
)

Widget: TypeAlias = "tuple[str | list[Any], dict[str, Any]]"

_FPS = Fraction(16)  # of images that no video gives a rate
_PREFIX: Widget = (
    "STRING",
    {
        "default": "video/ComfyUI",
        "tooltip": "The file's name, in the output folder, and folders in front of it. %date:yyyy-MM-dd%, %width%, "
        "%height% and %node.widget% stand for what they say.",
    },
)
_IMAGES_OR_VIDEO = "IMAGE,VIDEO"
_FORMATS = (*CONTAINERS, *MOVING_IMAGES, *SEQUENCES)  # a playlist is no file, and the page plays none
_PREVIEW = "telecine_preview"


# ---- widgets, of the options of an export --------------------------------------------------------------------------

_OPTIONS = options_of(ExportOptions)
_SHOWN = ("quality", "codec", "bit_depth")
_ADVANCED = (
    "max_bytes",
    "crf",
    "preset",
    "pixel_format",
    "chroma",
    "color",
    "light",
    "primaries",
    "background",
    "audio_fit",
)
_AUTO = "auto"  # what stands for None among choices
# The widgets of other types: their names, what stands for None, and their bounds.
_Kind: TypeAlias = "tuple[str | list[Any], object, dict[str, object]]"
_WIDGETS: Mapping[type, _Kind] = {
    int: ("INT", 0, {"min": 0, "max": 2**53 - 1}),
    float: ("FLOAT", -1.0, {"min": -1.0, "max": 63.0, "step": 1.0}),
    str: ("STRING", "", {}),
}


def _widget(name: str) -> Widget:
    """Make the widget of an option: its choices, or its type; its default, and its text."""
    option, kind = _OPTIONS[name], type_of(ExportOptions, name)
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    choices = [value for each in members if get_origin(each) is Literal for value in get_args(each)]
    of_choices: _Kind = (choices if option.default else [_AUTO, *choices], _AUTO, {})
    kinds = (row for of_type, row in _WIDGETS.items() if of_type in members)
    widget, unset, more = of_choices if choices else next(kinds)
    text = option.line if option.default else f"{option.line} Not given: {unset!r}."
    return widget, {"default": option.default or unset, "tooltip": text, "advanced": name in _ADVANCED, **more}


def _given(widgets: Mapping[str, object]) -> ExportOptions:
    """Give the options of which a widget holds more than its default."""
    defaults = {name: _widget(name)[1]["default"] for name in (*_SHOWN, *_ADVANCED)}
    if unknown := widgets.keys() - defaults.keys():
        raise TypeError(f"save() got an unexpected keyword argument {min(unknown)!r}")
    return cast(ExportOptions, {name: value for name, value in widgets.items() if value != defaults[name]})


# ---- the nodes -----------------------------------------------------------------------------------------------------


class SaveVideo:
    """Writes images or a video to a file in the output folder, with ComfyUI's graph in it."""

    CATEGORY = "telecine"
    DESCRIPTION = (
        "Saves images, or a video, to the output folder as telecine.export_video does. The file has the graph."
    )
    FUNCTION = "save"
    OUTPUT_NODE = True
    RETURN_TYPES = ("VIDEO", "STRING")
    RETURN_NAMES = ("video", "path")
    OUTPUT_TOOLTIPS = ("The saved file, of mp4, mov, webm and mkv.", "Its path.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:
        """Say what goes in: the options of an export, by their names."""
        return {
            "required": {
                "frames": (_IMAGES_OR_VIDEO, {"tooltip": "Images, or a video, whose rate and sound go with it."}),
                "filename_prefix": _PREFIX,
                "fps": (
                    "FLOAT",
                    {
                        "default": float(_FPS),
                        "min": 0.01,
                        "max": 1000.0,
                        "step": 0.01,
                        "round": 0.001,
                        "tooltip": "Frames per second of images; 29.97 means 30000/1001. A video has its own.",
                    },
                ),
                "format": ([*_FORMATS], {"default": "mp4", "tooltip": "A video, an image that moves, or a folder."}),
            },
            "optional": {
                "audio": ("AUDIO", {"tooltip": "The sound; of a video, in place of its own."}),
                **{name: _widget(name) for name in (*_SHOWN, *_ADVANCED)},
            },
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    def save(
        self,
        frames: ImageOrVideo,
        filename_prefix: str,
        fps: float,
        format: FormatName,
        audio: AudioDict | None = None,
        prompt: Graph | None = None,
        extra_pnginfo: Graph | None = None,
        **widgets: object,
    ) -> dict[str, Any]:
        """Write the file; an interrupt leaves nothing of it."""
        clip = clip_of(frames)
        sound = sound_of(audio) or _sound_of_video(clip, format)
        place = place_of(filled(filename_prefix, prompt), extension_of(OUTPUTS[format]), clip.size)
        options: ExportOptions = {
            **clip.reading,
            **_given(widgets),
            "fps": fps if clip.fps is None else clip.fps,
            "format": format,
            "metadata": _metadata(format, prompt, extra_pnginfo),
            "audio_rate": sound.rate if sound and format in CONTAINERS else None,
        }
        video = _write(clip.frames, place, clip.count, options, sound, clip.timestamps)
        result = video_of(place.path) if format in CONTAINERS else None
        shown = _preview(clip, format, place, options["fps"], sound)
        return {"ui": _shown(shown, video.notes), "result": (result, place.path)}


class LoadVideo:
    """Reads a file of the input folder: frames, sound and rate, of as many frames as are asked for."""

    CATEGORY = "telecine"
    DESCRIPTION = "Loads a video's frames, of exact colours, and its sound. Limits bound the memory that they take."
    FUNCTION = "load"
    RETURN_TYPES = ("IMAGE", "AUDIO", "FLOAT", "INT", "VIDEO", "MASK")
    RETURN_NAMES = ("images", "audio", "fps", "frame_count", "video", "mask")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:
        """Say what goes in: a file, and limits."""
        paths = comfyui("folder_paths")
        names = [each.name for each in os.scandir(paths.get_input_directory()) if each.is_file()]
        most = {"max": 2**31 - 1, "step": 1}
        return {
            "required": {
                "video": (sorted(paths.filter_files_content_types(names, ["video"])), {"video_upload": True}),
                "start_frame": ("INT", {"default": 0, "min": 0, **most, "tooltip": "The first frame, from 0 on."}),
                "max_frames": ("INT", {"default": 0, "min": 0, **most, "tooltip": "The most frames; 0 for all."}),
                "every_nth": ("INT", {"default": 1, "min": 1, **most, "tooltip": "2 takes every other frame."}),
            }
        }

    @classmethod
    def VALIDATE_INPUTS(cls, video: str) -> bool | str:
        """Tell whether the file is there, in one of ComfyUI's folders."""
        return _found(video) is not None or f"{video!r} is no file in ComfyUI's input folder"

    @classmethod
    def IS_CHANGED(cls, video: str, **_: object) -> str:
        """Give what changes with the file."""
        found = _found(video)
        return "" if found is None else f"{(state := os.stat(found)).st_mtime_ns}-{state.st_size}"

    def load(self, video: str, start_frame: int = 0, max_frames: int = 0, every_nth: int = 1) -> tuple[object, ...]:
        """Read the frames that are asked for, into memory that is made for them."""
        path = _found(video)
        if path is None:
            raise OptionError(f"{video!r} is no file in ComfyUI's input folder")
        info = probe(path)
        wanted = range(start_frame, info.frame_count, every_nth)[: max_frames or None]
        if not wanted:
            raise OptionError(f"start_frame={start_frame}: {video!r} has {info.frame_count} frames, from 0 on")
        check_memory(info, len(wanted), video)
        if not info.constant_rate:
            kept = "a VIDEO of all of them keeps their times, IMAGE has one rate"
            warn(f"the frames of {video!r} are not evenly timed: {kept}")
        images, mask = held(frames_of_file(path, info), wanted)
        fps, audio = info.fps / every_nth, None
        if info.audio is not None:
            audio = audio_of(path, *times_of(wanted, path, info))
        whole = len(wanted) == info.frame_count
        result = video_of(path) if whole else video_of_frames(images, audio, fps)
        return images, audio, float(fps), len(images), result, mask


class CompareVideos:
    """Makes a page that shows two clips in step, and shows them side by side."""

    CATEGORY = "telecine"
    DESCRIPTION = "Saves a page that compares two clips, as telecine.compare does, and shows them side by side."
    FUNCTION = "compare"
    OUTPUT_NODE = True
    RETURN_TYPES = ("STRING", "STRING")
    RETURN_NAMES = ("path", "url")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:
        """Say what goes in: two clips, and what both were made of."""
        clip = (_IMAGES_OR_VIDEO, {"tooltip": "Images or a video."})
        of_reference = {"tooltip": "What both were made of. Without one, the second is measured against the first."}
        return {
            "required": {
                "first": clip,
                "second": clip,
                "filename_prefix": ("STRING", {**_PREFIX[1], "default": "compare/ComfyUI"}),
                "first_title": ("STRING", {"default": "first"}),
                "second_title": ("STRING", {"default": "second"}),
            },
            "optional": {"reference": (_IMAGES_OR_VIDEO, of_reference)},
            "hidden": {"prompt": "PROMPT"},
        }

    def compare(
        self,
        first: ImageOrVideo,
        second: ImageOrVideo,
        filename_prefix: str,
        first_title: str,
        second_title: str,
        reference: ImageOrVideo | None = None,
        prompt: Graph | None = None,
    ) -> dict[str, Any]:
        """Write the page, and a video of the clips side by side."""
        clips = [clip_of(each) for each in (first, second, reference) if each is not None]
        page = place_of(filled(filename_prefix, prompt), ".html", clips[0].size)
        shown = [each.shown for each in clips]
        of_reference = shown[2] if reference is not None else None
        titles = (first_title, second_title)
        compare(shown[0], shown[1], of_reference, page.path, titles=titles, overwrite=False)
        labels = (*titles, "reference")[: len(clips)]
        frames = side_by_side(*map(floats_of, clips), labels=labels)
        fps = next((each.fps for each in clips if each.fps is not None), _FPS)
        place = place_of(_PREVIEW, ".mp4", folder="temp")
        _write(frames, place, max(each.count for each in clips), ExportOptions(fps=fps, background="black"))
        return {"ui": _shown(place, (page.path,)), "result": (page.path, page.url)}


# ---- saving --------------------------------------------------------------------------------------------------------


def _write(
    frames: Frames,
    place: Place,
    count: int,
    options: WriterOptions,
    sound: Sound | None = None,
    timestamps: Sequence[Fraction] | None = None,
) -> Video:
    """Write frames one by one, with progress on ComfyUI's page. Its interrupt drops what was encoded."""
    management, bar = comfyui("comfy.model_management"), comfyui("comfy.utils").ProgressBar(count)

    def report(done: int, _: int | None) -> None:
        bar.update_absolute(done)
        management.throw_exception_if_processing_interrupted()

    given: WriterOptions = {**options, "overwrite": False, "progress": report}
    with VideoWriter(place.path, **given) as writer:
        try:
            if sound is not None:
                writer.write_audio(sound.samples)
            writer.write(frames, timestamps)
        except management.InterruptProcessingException:
            writer.abort()
            raise
    return writer.video


def _sound_of_video(clip: Clip, format: FormatName) -> Sound | None:
    """Give the sound that comes with a video, where there is a place for it."""
    if clip.sound is not None and format not in CONTAINERS:
        warn(f"the sound of the video is left out: {format} has none")
        return None
    return clip.sound


def _metadata(format: FormatName, graph: Graph | None, more: Graph | None) -> dict[str, Json] | None:
    """Give ComfyUI's graphs, under the names by which it loads them from a file that is dropped on it."""
    holds_none = format in SEQUENCES and not SEQUENCES[format].metadata
    if holds_none or comfyui("comfy.cli_args").args.disable_metadata:
        return None
    return {**({} if graph is None else {"prompt": graph}), **(more or {})} or None


# ---- what the node shows -------------------------------------------------------------------------------------------

_ANIMATED = ("webp", "apng")  # which ComfyUI's pages show as images, by these names; all else of "animated" is a video


def _preview(clip: Clip, format: FormatName, saved: Place, fps: FrameRate, sound: Sound | None) -> Place:
    """Give what the node shows: the file, or where browsers don't play it a copy of the frames that they do."""
    if format in _ANIMATED or (format in CONTAINERS and plays(probe(saved.path))):
        return saved
    copy = place_of(_PREVIEW, ".mp4", folder="temp")
    options = ExportOptions(fps=fps, quality="draft", background="black", audio_rate=sound.rate if sound else None)
    _write(floats_of(clip), copy, clip.count, options, sound, clip.timestamps)
    return copy


def _shown(video: Place, texts: Sequence[str]) -> dict[str, Any]:
    """Give what ComfyUI's page shows of a node, as its own nodes for videos do."""
    return {"images": [video.entry], "animated": (True,), **({"text": tuple(texts)} if texts else {})}


# ---- loading -------------------------------------------------------------------------------------------------------


def _found(video: str) -> str | None:
    """Give the path of a file in ComfyUI's folders; None where there is none, or the name leads out of them."""
    paths = comfyui("folder_paths")
    name, folder = paths.annotated_filepath(video)
    folder = os.path.realpath(folder or paths.get_input_directory())
    path = os.path.abspath(os.path.join(folder, name))
    return path if os.path.commonpath([folder, path]) == folder and os.path.isfile(path) else None


NODE_CLASS_MAPPINGS: dict[str, type] = {
    "TelecineSaveVideo": SaveVideo,
    "TelecineLoadVideo": LoadVideo,
    "TelecineCompareVideos": CompareVideos,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "TelecineSaveVideo": "Save Video (telecine)",
    "TelecineLoadVideo": "Load Video (telecine)",
    "TelecineCompareVideos": "Compare Videos (telecine)",
}
