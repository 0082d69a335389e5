"""The command `telecine`: export, probe, verify, strip, recover, formats, provenance.

Exit codes: 0 done; 1 it failed, or `verify` found a difference; 2 the command line or an argument is wrong.
`provenance show` gives 0 for "valid", 1 for "tampered", 3 for "valid but untrusted", 4 for "no manifest".
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import json
import math
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import __version__
from ..color.color import Color
from ..encode.passes import parse_bytes
from ..errors import InputError, OptionError, PublishError, TelecineError, TelecineWarning
from ..export import export_video
from ..formats.codecs import CODECS, Codec
from ..formats.containers import CONTAINERS
from ..formats.images import MOVING_IMAGES, SEQUENCES
from ..formats.plays import PLAYS
from ..frames.recognise import Frames
from ..frames.sources import images_in_order, is_video, open_frames
from ..metadata.tags import Json
from ..output.result import Video
from ..planes.pixel_formats import PIXEL_FORMATS
from ..provenance.certificates import make_development_chain
from ..provenance.report import ProvenanceReport, read_provenance
from ..provenance.seal import Provenance
from ..read.frames import read_timestamps
from ..read.probe import VideoInfo, probe
from ..recover import orphans_in, recover
from ..strip import strip
from ..support.words import one_line, shown
from ..verify import LEAST_PSNR, LEAST_SSIM, MOST_COLOR_ERROR, VerifyReport, verify

app = typer.Typer(
    help="Turns frames into a video file that plays everywhere and looks like the frames.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

_SHOWN = 500
provenance_app = typer.Typer(help="Make a certificate for development, show a file's manifest.")
app.add_typer(provenance_app, name="provenance")

_CTRL_C = 130  # what typer makes of it
_CODES = {"valid": 0, "tampered": 1, "valid but untrusted": 3, "no manifest": 4}

FramesArgument = Annotated[
    list[str],
    typer.Argument(help="A folder or a glob of images, images, a .npy, .npz or .safetensors file, or a video."),
]
VideoArgument = Annotated[str, typer.Argument(help="The video file.")]
LayoutOption = Annotated[str, typer.Option(help="The letters of an array's axes, of T H W C B, such as CTHW.")]
ChannelsOption = Annotated[str, typer.Option(help="The order of an array's colours: RGB, or BGR as OpenCV has it.")]
RangeOption = Annotated[
    str | None, typer.Option(metavar="LOW,HIGH", help="The range of float values, such as -1,1; [0, 1] without.")
]
BackgroundOption = Annotated[
    str | None, typer.Option(help="What transparent pixels are shown on: a name or #rrggbb. Black without.")
]
GapsOption = Annotated[bool, typer.Option("--allow-gaps", help="Accept images whose numbering skips a number.")]
LightOption = Annotated[
    str | None, typer.Option(help="What the values of HDR frames are: scene-linear, display-linear or encoded.")
]
PrimariesOption = Annotated[str | None, typer.Option(help="Those of linear light: bt709, p3-d65 or bt2020.")]


def run(arguments: list[str] | None = None) -> int:
    """Run the command with its arguments, or those of the process, and give its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal can't show is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _show_warning
    try:
        code = int(app(arguments, standalone_mode=False) or 0)
        return _say("stopped", 1) if code == _CTRL_C else code
    except typer.Exit as error:
        return _say("stopped", 1) if error.exit_code == _CTRL_C else error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return _say("stopped", 1)
    except Exception as error:
        if "--debug" in arguments:
            sys.excepthook = _show_traceback
            raise
        if isinstance(error, TelecineError):
            return _say(str(error), 2 if isinstance(error, OptionError) else 1)
        if hasattr(error, "format_message"):  # the command line itself: click's UsageError
            return _say(error.format_message(), 2)
        return _say(f"{type(error).__name__}: {error} (--debug shows where)", 1)


def _say(message: str, code: int) -> int:
    _complain(f"telecine: {one_line(message)}")
    return code


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, TelecineWarning):
        _complain(f"telecine: warning: {one_line(str(message))}")


def _show_traceback(_: type[BaseException], error: BaseException, __: object) -> None:
    for line in "".join(traceback.format_exception(error)).split("\n"):
        _complain(shown(line))


def _complain(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody can be told
        print(line, file=sys.stderr)


def _print(text: str) -> None:
    """Print what was asked for. Who has read enough of it, as `head` does, is no reason to fail.

    Raises:
        PublishError: the disk is full, for example.
    """
    try:
        print(text, flush=True)
    except OSError as error:
        _drop_output()
        if not isinstance(error, BrokenPipeError):
            said = f"the output can't be printed: {error.strerror or error}"
            raise PublishError.of(error.errno or errno.EIO, said, "<stdout>") from error


def _drop_output() -> None:
    """Let what Python still has to print go nowhere, for it would try again at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _print_json(value: object) -> None:
    """Print JSON, which is ASCII and has escapes for its controls, but for one."""
    _print(json.dumps(_plain(value), indent=2, allow_nan=False).replace("\x7f", r"\u007f"))


@app.callback(invoke_without_command=True)
def _main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show an error's traceback.")] = False,
) -> None:
    if version:
        _print(f"telecine {__version__}")
    elif context.invoked_subcommand is None:
        _print(context.get_help())
        raise typer.Exit(2)


@app.command("export")
def _export(
    frames: FramesArgument,
    output: Annotated[str, typer.Option("--output", "-o", help="The file to write, or the folder of images.")],
    fps: Annotated[
        str | None,
        typer.Option(help="Frames per second, such as 29.97 or 24000/1001; without, a video's own timing, or 16."),
    ] = None,
    codec: Annotated[
        str | None, typer.Option(help="h264, hevc, av1, vp9, prores or ffv1; the container's own without.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="FFmpeg's name of another encoder than the usual, such as h264_nvenc.")
    ] = None,
    quality: Annotated[str, typer.Option(help="draft, balanced, high, visually-lossless or lossless.")] = "high",
    crf: Annotated[float | None, typer.Option(help="The encoder's crf, in place of --quality.")] = None,
    bitrate: Annotated[int | None, typer.Option(help="Bits per second, in place of --quality.")] = None,
    max_bytes: Annotated[
        str | None, typer.Option(metavar="SIZE", help="The most that the file may take, such as 10MB or 9.5MiB.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="The encoder's speed: ultrafast to placebo.")] = None,
    pixel_format: Annotated[str | None, typer.Option(help="FFmpeg's name, such as yuv422p10le.")] = None,
    bit_depth: Annotated[int | None, typer.Option(help="8, 10 or 12.")] = None,
    chroma: Annotated[str | None, typer.Option(help="4:2:0, 4:2:2 or 4:4:4.")] = None,
    dither: Annotated[bool, typer.Option("--dither", help="Dither 8-bit codes, against bands in gradients.")] = False,
    color: Annotated[str, typer.Option(help="auto, bt601, bt709, or pq or hlg for HDR.")] = "auto",
    light: LightOption = None,
    primaries: PrimariesOption = None,
    layout: LayoutOption = "auto",
    channels: ChannelsOption = "RGB",
    value_range: RangeOption = None,
    background: BackgroundOption = None,
    hold: Annotated[float | None, typer.Option(metavar="SECONDS", help="How long the last frame is shown.")] = None,
    repeat: Annotated[int, typer.Option(metavar="N", help="How many more times the last frame is written.")] = 0,
    provenance_certificate: Annotated[
        Path | None, typer.Option(help="Sign a C2PA manifest: the certificate's chain in PEM.")
    ] = None,
    provenance_key: Annotated[Path | None, typer.Option(help="The certificate's private key in PEM.")] = None,
    provenance_model: Annotated[str | None, typer.Option(help="The model that made the frames.")] = None,
    provenance_prompt: Annotated[str | None, typer.Option(help="The prompt, only if it is to be in the file.")] = None,
    provenance_parent: Annotated[Path | None, typer.Option(help="The file of which this one is an edit.")] = None,
    provenance_source_type: Annotated[
        str, typer.Option(help="IPTC's digital source type.")
    ] = Provenance.digital_source_type,
    provenance_time_stamps: Annotated[
        str | None, typer.Option(metavar="URL", help="A time-stamp authority; without, no network.")
    ] = None,
    loops: Annotated[
        int | None, typer.Option(metavar="N", help="How many times a GIF, WebP or APNG is shown; 0, forever, without.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(help="In place of the extension; png, tiff, jpeg or exr writes a folder of images."),
    ] = None,
    audio: Annotated[
        str | None, typer.Option(metavar="FILE", help="A file with the sound: any that FFmpeg reads.")
    ] = None,
    audio_fit: Annotated[str, typer.Option(help="pad, trim or loop: how the sound is fitted to the video.")] = "pad",
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=TEXT", help="What the file says of itself; may be repeated.")
    ] = None,
    metadata_json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same, from a file of a JSON object.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a file that exists.")] = True,
    allow_gaps: GapsOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no table.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show an error's traceback.")] = False,
) -> None:
    """Write frames to a video file."""
    provenance = None
    if provenance_certificate is not None:
        provenance = Provenance(
            certificate=provenance_certificate,
            private_key=provenance_key,
            model=provenance_model,
            prompt=provenance_prompt,
            parent=provenance_parent,
            digital_source_type=provenance_source_type,
            time_stamp_authority=provenance_time_stamps,
        )
    elif provenance_key or provenance_model or provenance_prompt or provenance_parent or provenance_time_stamps:
        raise OptionError("a manifest takes --provenance-certificate and --provenance-key")
    own_rate, own_times = _own_timing(frames) if fps is None else (fps, None)
    of_any_text: Callable[..., Video] = export_video  # which checks it
    video = of_any_text(
        _frames(frames, allow_gaps),
        output,
        fps=own_rate,
        codec=codec,
        encoder=encoder,
        quality=quality,
        crf=crf,
        bitrate=bitrate,
        max_bytes=None if max_bytes is None else parse_bytes(max_bytes),
        preset=preset,
        pixel_format=pixel_format,
        bit_depth=bit_depth,
        chroma=chroma,
        dither=dither,
        color=color,
        light=light,
        primaries=primaries,
        layout=layout,
        channels=channels,
        value_range=_range(value_range),
        background=background,
        timestamps=own_times,
        hold=hold,
        repeat=repeat,
        audio=audio,
        audio_fit=audio_fit,
        metadata=_metadata(metadata or [], metadata_json),
        provenance=provenance,
        overwrite=overwrite,
        progress=not quiet and sys.stderr is not None and sys.stderr.isatty(),
        loops=loops,
        format=format,
    )
    if not quiet:
        print_table(facts_of_export(video))


@app.command("probe")
def _probe(
    video: VideoArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show an error's traceback.")] = False,
) -> None:
    """Show what is in a video file."""
    info = probe(video)
    if as_json:
        _print_json(info)
    else:
        print_table(facts_of_file(info))


@app.command("verify")
def _verify(
    video: VideoArgument,
    frames: FramesArgument,
    layout: LayoutOption = "auto",
    channels: ChannelsOption = "RGB",
    value_range: RangeOption = None,
    background: BackgroundOption = None,
    light: LightOption = None,
    primaries: PrimariesOption = None,
    allow_gaps: GapsOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show an error's traceback.")] = False,
) -> None:
    """Compare a video file with the frames it was made of; exit code 1 if they differ."""
    of_any_text: Callable[..., VerifyReport] = verify  # which checks it
    report = of_any_text(
        video,
        _frames(frames, allow_gaps),
        layout=layout,
        channels=channels,
        value_range=_range(value_range),
        background=background,
        light=light,
        primaries=primaries,
    )
    if as_json:
        _print_json({**_plain(report), "ok": report.ok})
    else:
        print_table(facts_of_report(report))
    raise typer.Exit(0 if report.ok else 1)


@app.command("strip")
def _strip(
    video: VideoArgument,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Where the file without goes; in place of it without.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show an error's traceback.")] = False,
) -> None:
    """Remove what a video file says of itself; its packets stay as they are."""
    print_table(facts_of_file(strip(video, output)))


@app.command("recover")
def _recover(
    path: Annotated[str | None, typer.Argument(help="The path that the export was to write, or its journal.")] = None,
    output: Annotated[str | None, typer.Option("--output", "-o", help="Where the video goes.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--list", help="List the journals of dead writers in a folder.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show an error's traceback.")] = False,
) -> None:
    """Make a video of what a killed or failed export left behind."""
    if folder is not None:
        orphans, odd = orphans_in(folder)
        for orphan in orphans:
            _print(shown(str(orphan)))
        for path_of_odd, why in odd.items():
            _complain(f"telecine: {str(path_of_odd)!r} can't be recovered: {one_line(why)}")
    elif path is not None:
        print_table(facts_of_export(recover(path, output)))
    else:
        raise OptionError("recover needs a path, or --list and a folder")


@app.command("formats")
def _formats(
    debug: Annotated[bool, typer.Option("--debug", help="Show an error's traceback.")] = False,
) -> None:
    """List containers and codecs, where they play, and what pixel formats and quality levels they have."""
    tables = (
        (("extension", "codec", "browser", "QuickTime", "editor", "archive"), rows_of_places()),
        (("codec", "bits", "pixel formats, the default first"), rows_of_pixel_formats()),
        (("codec", "quality", "encoder options"), rows_of_qualities()),
    )
    for headings, rows in tables:
        table = Table(*headings, box=None, padding=(0, 2, 0, 0))
        for row in rows:
            table.add_row(*row)
        _print_rendered(table)
        _print("")


@provenance_app.command("init")
def _provenance_init(
    folder: Annotated[Path, typer.Argument(help="The folder to make them in.")] = Path("provenance"),
    debug: Annotated[bool, typer.Option("--debug", help="Show an error's traceback.")] = False,
) -> None:
    """Make a certificate and a key for development."""
    files = make_development_chain(folder)
    print_table(
        [
            ("certificate", str(files.certificate)),
            ("private key", f"{files.private_key}, which only you can read"),
            ("root", f"{files.root}, for provenance show --trust"),
        ]
    )
    _print("For development only: no verifier trusts this chain. What it signs is shown as valid but untrusted.")


@provenance_app.command("show")
def _provenance_show(
    file: Annotated[str, typer.Argument(help="A video or a moving image.")],
    trust: Annotated[
        Path | None, typer.Option(metavar="ANCHORS", help="Certificates in PEM that stand for signers.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the whole manifest.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show an error's traceback.")] = False,
) -> None:
    """Show a file's manifest and whether it holds: exit code 0 valid, 1 tampered, 3 valid but untrusted, 4 none."""
    report = read_provenance(file, trust)
    if as_json:
        _print_json(report)
    else:
        print_table(facts_of_provenance(report))
    raise typer.Exit(_CODES[report.state])


def _frames(given: list[str], allow_gaps: bool) -> Frames:
    if len(given) == 1:
        return given[0] if is_video(given[0]) else open_frames(given[0], allow_gaps)
    missing = next((each for each in given if not os.path.isfile(each)), None)
    if missing is not None:
        raise InputError(f"{missing!r} is no file: several arguments are read as images")
    return images_in_order(map(Path, given), "the command line", allow_gaps)


def _own_timing(given: list[str]) -> tuple[Fraction, list[Fraction] | None]:
    """Give the frame rate of what is given, and its frames' times where they are not evenly spaced."""
    if len(given) > 1 or not is_video(given[0]):
        return Fraction(16), None
    info = probe(given[0])
    return info.fps, None if info.constant_rate else read_timestamps(given[0])


def _metadata(pairs: list[str], path: Path | None) -> dict[str, Json] | None:
    """Read what the command line says of the file; None if nothing."""
    if not pairs and path is None:
        return None
    values: Any = {}
    if path is not None:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise OptionError(f"--metadata-json {str(path)!r} can't be read as JSON: {error}") from error
        if not isinstance(values, dict):
            raise OptionError(f"--metadata-json {str(path)!r} is no JSON object: write {{...}}")
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise OptionError(f"--metadata {pair!r} has no '=': write NAME=TEXT")
        values[name] = text
    return cast("dict[str, Json]", values)


def _range(text: str | None) -> Any:
    if text is None:
        return "auto"
    return tuple(text.strip("[]() ").split(","))


# ---- what is shown -------------------------------------------------------------------------------------------------

Facts = list[tuple[str, str]]


def print_table(facts: Facts) -> None:
    """Print names and values in two columns; a path is never cut."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(Text(shown(name)), Text(shown(value)))  # Text: rich finds no markup in it
    _print_rendered(table)


def _print_rendered(table: Table) -> None:
    terminal, text = Console(), io.StringIO()
    Console(file=text, width=terminal.width, force_terminal=terminal.is_terminal).print(table)
    _print(text.getvalue().rstrip("\n"))


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
        lasting = f"{float(sound.duration):.3f} s"
        facts.append(("sound", f"{sound.codec}, {sound.sample_rate} Hz, {sound.channels} channels, {lasting}"))
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


def _labelled_codecs() -> Iterator[tuple[str, Codec]]:
    for codec in CODECS.values():
        yield codec.called, codec
        if codec.lossless:
            yield f"{codec.called} lossless", codec.lossless


def _rate(fps: Fraction) -> str:
    return f"{fps} fps" if fps.denominator == 1 else f"{fps} ({float(fps):.3f}) fps"


def _bytes(count: int) -> str:
    return f"{count:,} bytes"


def _plain(value: Any) -> Any:
    """Give what JSON holds: fractions as text, paths as text, records as objects, what is infinite as null."""
    if isinstance(value, Color):
        return {
            "matrix": value.matrix_name,
            "primaries": value.primaries_name,
            "transfer": value.transfer_name,
            "range": value.range_name,
        }
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (Fraction, Path)):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
