"""What the command's tables show: of an export, a file, a comparison, a manifest, and of what can be written."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import groupby

from ..diagnosis.encoders import known_encoders, opens
from ..dry_run import DryRun
from ..formats.codecs import CODECS, Codec
from ..formats.containers import CONTAINERS, PLAYLISTS
from ..formats.encoders import licence_of
from ..formats.images import MOVING_IMAGES, SEQUENCES
from ..formats.plays import PLAYS
from ..metadata.tags import Json
from ..output.result import Video
from ..planes.pixel_formats import PIXEL_FORMATS
from ..provenance.report import ProvenanceReport
from ..read.probe import VideoInfo
from ..support.words import shown
from ..verification import LEAST_PSNR, LEAST_SSIM, MOST_COLOR_ERROR, VerifyReport

_SHOWN = 500  # characters of a value: a workflow of ComfyUI would fill the terminal

Facts = list[tuple[str, str]]


def facts_of_export(video: Video) -> Facts:
    """What an export's table shows."""
    facts = [
        ("file", str(video.path)),
        ("picture", f"{video.width}x{video.height}"),
        ("frames", str(video.frame_count)),
        ("frame rate", _rate(video.fps)),
        ("duration", f"{float(video.duration):.3f} s"),
        ("codec", video.codec),
        ("size", _bytes(video.size_bytes)),
    ]
    return facts + [("note", note) for note in video.notes]


def facts_of_dry_run(found: DryRun) -> Facts:
    """What the table of what would be written shows."""
    outlook = found.outlook
    seconds = None if found.duration is None else f"{float(found.duration):.3f} s"
    facts: list[tuple[str, object]] = [
        ("file", found.path),
        ("replaces", None if found.replaces is None else f"a file of {_bytes(found.replaces)}"),
        ("picture", f"{outlook.width}x{outlook.height}"),
        ("frames", found.frame_count),
        ("frame rate", _rate(found.fps)),
        ("duration", seconds),
        ("format", found.format),
        ("codec", outlook.codec),
        ("pixel format", outlook.pixel_format),
        ("colour", outlook.color),
        ("encoder", outlook.encoder or None),
        ("options", " ".join(f"{name}={value}" for name, value in outlook.options.items()) or None),
        ("settings", outlook.settings or None),
        ("at most", None if found.max_bytes is None else _bytes(found.max_bytes)),
        *(("note", note) for note in found.notes),
        ("written", "nothing: this was a dry run"),
    ]
    return [(name, str(value)) for name, value in facts if value is not None]


def facts_of_file(info: VideoInfo) -> Facts:
    """What a probe's table shows."""
    in_front = {True: "in front", False: "at the end", None: "none"}[info.index_in_front]
    facts = [
        ("file", str(info.path)),
        ("container", info.container),
        ("codec", " ".join(filter(None, (info.codec, info.profile)))),
        ("pixel format", info.pixel_format),
        ("picture", f"{info.width}x{info.height}"),
        ("frames", str(info.frame_count)),
        ("frame rate", _rate(info.fps) + ("" if info.constant_rate else " on average")),
        ("duration", f"{float(info.duration):.3f} s"),
        ("colour", str(info.color)),
        ("index", in_front),
        ("size", _bytes(info.size_bytes)),
    ]
    if info.rotation or info.mirrored:
        facts.append(("shown", f"turned by {info.rotation} degrees clockwise" + ", mirrored before" * info.mirrored))
    if info.sample_aspect_ratio != 1:
        facts.append(("pixels", f"shown {info.sample_aspect_ratio} times as wide as high"))
    if info.mastering_display is not None:
        facts.append(("mastering display", str(info.mastering_display)))
    if info.content_light is not None:
        facts.append(("content light", str(info.content_light)))
    if info.audio is not None:
        sound = info.audio
        channels, lasting = f"{sound.channels} channel{'s' * (sound.channels > 1)}", f"{float(sound.duration):.3f} s"
        facts.append(("sound", f"{sound.codec}, {sound.sample_rate} Hz, {channels}, {lasting}"))
    facts += [("note", note) for note in info.notes]
    said = sorted(info.metadata.items())
    return facts + [(_beginning(name), _beginning(_of_metadata(value))) for name, value in said]


def _beginning(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters: --json shows all)"


def _of_metadata(value: Json) -> str:
    """Give text as it is, and as JSON what is no text or can't be shown as it is."""
    return value if isinstance(value, str) and value == shown(value) else json.dumps(value, ensure_ascii=False)


def facts_of_report(report: VerifyReport) -> Facts:
    """What a verification's table shows."""
    facts = [
        ("file", str(report.path)),
        ("frames", f"{report.frame_count} of {report.expected_frame_count}"),
        ("PSNR", f"{report.psnr:.2f} dB (at least {LEAST_PSNR:g})"),
        ("SSIM", f"{report.ssim:.4f} (at least {LEAST_SSIM:g})"),
        ("colour error", f"{report.color_error:.2f}/255 (at most {MOST_COLOR_ERROR:g})"),
        ("worst frame", str(report.worst_frame)),
        ("verdict", "ok" if report.ok else "different"),
    ]
    return facts + [("problem", problem) for problem in report.problems]


def facts_of_provenance(report: ProvenanceReport) -> Facts:
    """What a manifest's table shows."""
    said = [
        ("title", report.title),
        ("generator", report.generator),
        *(("action", each) for each in report.actions),
        *(("source type", each) for each in report.digital_source_types),
        *(("model", each) for each in report.models),
        ("prompt", report.prompt),
        *(("ingredient", each) for each in report.ingredients),
        ("signed by", report.signed_by),
        ("signed at", report.signed_at),
        *(("problem", each) for each in report.problems),
    ]
    return [("file", str(report.path)), ("state", report.state), *((name, text) for name, text in said if text)]


Rows = list[tuple[str, ...]]


def rows_of_places() -> Rows:
    """Where each output plays: see `formats.Plays`."""
    named = {row.name: f"folder of {row.extension}" for row in SEQUENCES.values()}
    named |= {row.name: " ".join(row.extensions) for row in CONTAINERS.values()}
    named |= {row.name: " ".join(row.extensions) for row in MOVING_IMAGES.values()}
    named |= {row.name: " ".join(row.extensions) for row in PLAYLISTS.values()}
    return [(named[name], codec, *dataclasses.astuple(plays)) for (name, codec), plays in PLAYS.items()]


def rows_of_pixel_formats() -> Rows:
    """The pixel formats of each codec, by depth, and the depths of images."""
    of_codecs = [
        (label, str(depth), " ".join(names))
        for label, codec in _labelled_codecs()
        for depth, names in groupby(codec.pixel_formats, lambda name: PIXEL_FORMATS[name].depth)
    ]
    of_images = [(row.name, "8", f"RGB, alpha {row.alpha}") for row in MOVING_IMAGES.values()]
    of_folders = [
        (row.name, str(bits), "RGB, alpha kept" if row.alpha else "RGB")
        for row in SEQUENCES.values()
        for bits in row.bits
    ]
    return [*of_codecs, *of_images, *of_folders]


def rows_of_qualities() -> Rows:
    """What each quality level tells the encoder of each codec or image."""
    of_codecs = [
        (codec.name, quality, " ".join(f"{name}={value}" for name, value in options.items()))
        for _, codec in _labelled_codecs()
        for quality, options in codec.qualities.items()
    ]
    levels: dict[str, Mapping[str, float | None]] = {row.name: row.qualities for row in MOVING_IMAGES.values()}
    levels |= {row.name: row.qualities for row in SEQUENCES.values()}
    of_images = [
        (name, quality, "lossless" if value is None else f"{value} colours" if name == "gif" else f"quality {value}")
        for name, qualities in levels.items()
        for quality, value in qualities.items()
    ]
    return [*of_codecs, *of_images]


def rows_of_encoders() -> Rows:
    """The encoders that `--encoder` takes, of each codec in the order of `auto`, and which of them open here."""
    return [(row.name, row.encoder, licence_of(row.encoder), opens(row)) for row in known_encoders()]


def _labelled_codecs() -> Iterator[tuple[str, Codec]]:
    for codec in CODECS.values():
        yield codec.called, codec
        if codec.lossless:
            yield f"{codec.called} lossless", codec.lossless


def _rate(fps: Fraction) -> str:
    return f"{fps} fps" if fps.denominator == 1 else f"{fps} ({float(fps):.3f}) fps"


def _bytes(count: int) -> str:
    return f"{count:,} bytes"
