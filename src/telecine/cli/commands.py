"""The command `telecine`: export, probe, verify, concat, strip, add-audio, recover, formats, provenance, doctor.

Exit codes: 0 done; 1 it failed, or `verify` found a difference; 2 the command line or an argument is wrong.
`doctor` gives 1 where H.264 in MP4 does not work.
`provenance show` gives 0 for "valid", 1 for "tampered", 3 for "valid but untrusted", 4 for "no manifest".
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import typer

from .. import __version__
from ..adding_sound import AudioOptions, add_audio
from ..dry_run import dry_run
from ..errors import DOCUMENTATION, InputError, OptionError, PublishError, TelecineError
from ..export import export
from ..formats.containers import CONTAINERS
from ..frames.options import FrameOptions, complete
from ..frames.sources import FrameSource, images_in_order, open_source
from ..joining import concat
from ..output.options import ExportOptions
from ..output.result import Video
from ..provenance.seal import Provenance
from ..read.frames import read_timestamps
from ..read.probe import probe
from ..recovery import orphans_in, recover
from ..stripping import strip
from ..support.words import one_line, shown
from ..verification import verify
from . import look, provenance
from .as_json import plain
from .batch import batch
from .doctor import doctor
from .options import (
    DebugOption,
    JsonOption,
    QuietOption,
    completing,
    given_options,
    read_metadata,
    read_provenance_options,
    with_options,
)
from .tables import (
    facts_of_dry_run,
    facts_of_export,
    facts_of_file,
    facts_of_report,
    rows_of_encoders,
    rows_of_pixel_formats,
    rows_of_places,
    rows_of_qualities,
)
from .terminal import (
    complain,
    drop_output,
    errors_are_seen,
    print_facts,
    print_json,
    print_rows,
    print_text,
    show_traceback,
    show_warning,
)

app = typer.Typer(
    help="Turns frames into a video file that plays everywhere and looks like the frames.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

_CTRL_C = 130  # what typer makes of it

FramesArgument = Annotated[
    list[str],
    typer.Argument(
        help="A folder or a glob of images, images, a .npy, .npz or .safetensors file, or a video; or a URL."
    ),
]
VideoArgument = Annotated[str, typer.Argument(help="The video file, or its URL.")]
GapsOption = Annotated[bool, typer.Option("--allow-gaps", help="Accept images whose numbering skips a number.")]


def run(arguments: list[str] | None = None) -> int:
    """Run the command with its arguments, or those of the process, and give its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal can't show is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = show_warning
    try:
        code = int(app(arguments, prog_name="telecine", standalone_mode=False) or 0)
        return _say("stopped", 1) if code == _CTRL_C else code
    except typer.Exit as error:
        return _say("stopped", 1) if error.exit_code == _CTRL_C else error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return _say("stopped", 1)
    except SystemExit as stop:  # with which click says nothing where the reader of a pipe has gone away
        if not isinstance(stop.__context__, PublishError):
            raise
        drop_output()
        return _say(str(stop.__context__), 1)
    except Exception as error:
        if "--debug" in arguments:
            sys.excepthook = show_traceback
            raise
        if isinstance(error, TelecineError):
            return _say(str(error), 2 if isinstance(error, OptionError) else 1, error.documentation)
        if hasattr(error, "format_message"):  # the command line itself: click's UsageError
            return _say(error.format_message(), 2, _help_of(error))
        return _say(f"{type(error).__name__}: {error} (--debug shows where)", 1, f"{DOCUMENTATION}doctor.html")


def _say(message: str, code: int, page: str = "") -> int:
    complain(f"telecine: {one_line(message)}")
    if page:
        complain(f"telecine: see {page}")
    return code


def _help_of(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path} --help" if context else ""


@app.callback(invoke_without_command=True)
def _main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    debug: DebugOption = False,
) -> None:
    if version:
        print_text(f"telecine {__version__}")
    elif context.invoked_subcommand is None:
        print_text(context.get_help())
        raise typer.Exit(2)


@app.command("export")
@with_options(ExportOptions)
def _export(
    frames: FramesArgument,
    output: Annotated[
        str, typer.Option("--output", "-o", help="The file to write, or the folder of images; - is standard output.")
    ],
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=TEXT", help="What the file says of itself; may be repeated.")
    ] = None,
    metadata_json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same, from a file of a JSON object.")
    ] = None,
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
    allow_gaps: GapsOption = False,
    only_look: Annotated[
        bool, typer.Option("--dry-run", help="Check all that can be, say what would be written, and write nothing.")
    ] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    **options: Any,
) -> None:
    """Write frames to a video file."""
    of_manifest = {
        "private_key": provenance_key,
        "model": provenance_model,
        "prompt": provenance_prompt,
        "parent": provenance_parent,
        "digital_source_type": provenance_source_type,
        "time_stamp_authority": provenance_time_stamps,
    }
    given = given_options(ExportOptions, options) | {
        "metadata": read_metadata(metadata or [], metadata_json),
        "provenance": read_provenance_options(provenance_certificate, of_manifest),
        "progress": not quiet and errors_are_seen(),
    }
    source = _source(frames, allow_gaps)
    all_options = complete(ExportOptions, cast(ExportOptions, {**given, **_own_timing(source, given)}), "export")
    to = _standard_output() if output == "-" else output
    if only_look:
        facts = facts_of_dry_run(dry_run(source, to, all_options))
    else:
        facts = facts_of_export(_exported(source, to, all_options))
    if not quiet and (only_look or output != "-"):
        print_facts(facts)


def _own_timing(source: FrameSource, given: dict[str, Any]) -> dict[str, Any]:
    """Give the options that keep a video's own timing, unless another rate is given."""
    if source.video is None or "fps" in given:
        return {}
    if given["every"] == 1 and "fps_from" not in given and not source.video.constant_rate:
        return {"fps": source.video.fps, "timestamps": read_timestamps(source.video.path)}
    return {"fps": source.video.fps / max(1, given["every"])}


def _exported(source: FrameSource, to: str | BinaryIO, options: ExportOptions) -> Video:
    try:
        return export(source, to, options)
    except KeyboardInterrupt as error:  # of which click shows no note
        kept = (note.removeprefix("telecine: ") for note in getattr(error, "__notes__", ()))
        raise TelecineError("; ".join(["stopped", *kept]), page="recovery") from error


def _standard_output() -> BinaryIO:
    if sys.stdout is None or sys.stdout.isatty():
        raise OptionError("the standard output is no file and no pipe: name a file, as in -o clip.mp4")
    return sys.stdout.buffer


@app.command("probe")
def _probe(
    video: VideoArgument,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what is in a video file."""
    info = probe(video)
    if as_json:
        print_json(info)
    else:
        print_facts(facts_of_file(info))


@app.command("verify")
@with_options(FrameOptions)
def _verify(
    video: VideoArgument,
    frames: FramesArgument,
    allow_gaps: GapsOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
    **options: Any,
) -> None:
    """Compare a video file with the frames it was made of. Exit code 1 if they differ."""
    report = verify(
        video, _source(frames, allow_gaps).frames, **cast(FrameOptions, given_options(FrameOptions, options))
    )
    if as_json:
        print_json({**plain(report), "ok": report.ok})
    else:
        print_facts(facts_of_report(report))
    raise typer.Exit(0 if report.ok else 1)


@app.command("concat")
def _concat(
    videos: Annotated[list[str], typer.Argument(help="Clips of one kind, by their paths or URLs, in their order.")],
    output: Annotated[str, typer.Option("--output", "-o", help="The file to write; - is standard output.")],
    audio: Annotated[bool, typer.Option(help="Join their sound too.")] = True,
    format: Annotated[
        str | None,
        typer.Option(
            help="The container, in place of the one that the extension stands for.",
            autocompletion=completing(CONTAINERS),
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace what is there.")] = True,
    debug: DebugOption = False,
) -> None:
    """Join clips in one file, without encoding them again. What is not alike is refused."""
    to = _standard_output() if output == "-" else output
    video = concat(videos, to, audio=audio, format=format, overwrite=overwrite)
    if output != "-":
        print_facts(facts_of_export(video))


@app.command("strip")
def _strip(
    video: VideoArgument,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="Where the file without goes, - being the standard output; in place of it without."
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Remove what a video file says of itself. Its packets stay as they are."""
    info = strip(video, _standard_output() if output == "-" else output)
    if output != "-":
        print_facts(facts_of_file(info))


@app.command("add-audio")
@with_options(AudioOptions)
def _add_audio(
    video: VideoArgument,
    audio: Annotated[str | None, typer.Argument(help="A file with the sound, or its URL.")] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="Where the file goes, - being the standard output; without, it takes the video's place.",
        ),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the sound away that the video has.")] = False,
    debug: DebugOption = False,
    **options: Any,
) -> None:
    """Give a video file another sound. Its pictures stay as they are."""
    if remove == (audio is not None):
        raise OptionError("add-audio takes a file with the sound, or --remove to take the sound away")
    given = cast(AudioOptions, given_options(AudioOptions, options))
    done = add_audio(video, audio, _standard_output() if output == "-" else output, **given)
    if output != "-":
        print_facts(facts_of_export(done))


@app.command("recover")
def _recover(
    path: Annotated[str | None, typer.Argument(help="The path that the export was to write, or its journal.")] = None,
    output: Annotated[str | None, typer.Option("--output", "-o", help="Where the video goes.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--list", help="List the journals of dead writers in a folder.")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Make a video of what a killed or failed export left behind."""
    if folder is not None:
        orphans, odd = orphans_in(folder)
        for orphan in orphans:
            print_text(shown(str(orphan)))
        for path_of_odd, why in odd.items():
            complain(f"telecine: {str(path_of_odd)!r} can't be recovered: {one_line(why)}")
    elif path is not None:
        print_facts(facts_of_export(recover(path, output)))
    else:
        raise OptionError("recover needs a path, or --list and a folder", page="recovery")


@app.command("formats")
def _formats(
    debug: DebugOption = False,
) -> None:
    """List containers, codecs and where they play. Also pixel formats, quality levels, and encoders that open here."""
    print_rows(("extension", "codec", "browser", "QuickTime", "editor", "archive"), rows_of_places())
    print_rows(("codec", "bits", "pixel formats, the default first"), rows_of_pixel_formats())
    print_rows(("codec", "quality", "encoder options"), rows_of_qualities())
    print_rows(("codec", "encoder", "licence", "opens here"), rows_of_encoders())


# The rest, in the order of the help.
look.register(app)
app.command("batch")(batch)
app.add_typer(provenance.app, name="provenance")
app.command("doctor")(doctor)


def _source(given: list[str], allow_gaps: bool) -> FrameSource:
    if len(given) == 1:
        return open_source(given[0], allow_gaps)
    missing = next((each for each in given if not os.path.isfile(each)), None)
    if missing is not None:
        raise InputError(f"{missing!r} is no file: several arguments are read as images")
    return FrameSource(images_in_order(map(Path, given), "the command line", allow_gaps))
