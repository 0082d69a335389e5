"""What is looked at: `telecine sheet`, `telecine grid`, `telecine compare`, `telecine gallery` and `telecine serve`."""

from __future__ import annotations

import io
import os
import webbrowser
from typing import Annotated, Any, cast

import typer

from ..export import export
from ..frames.options import ArrayOptions, complete, part
from ..frames.sources import FrameSource, open_source
from ..output.options import ExportOptions
from ..support.notes import warn
from .options import DebugOption, QuietOption, TrustOption, given_options, with_options
from .tables import facts_of_export
from .terminal import errors_are_seen, print_facts, print_text

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_CLIP = "A video, a folder or a glob of images, or a file of arrays; or a URL."

_CLIPS = "A folder of clips, and of folders of them."


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("sheet")(_sheet)
    app.command("grid")(_grid)
    app.command("compare")(_compare)
    app.command("gallery")(_gallery)
    app.command("serve")(_serve)


@with_options(ArrayOptions)
def _sheet(
    clip: Annotated[str, typer.Argument(help=_CLIP)],
    output: Annotated[str, typer.Option("--output", "-o", help="The picture to write: .png, .jpg or .webp.")],
    columns: Annotated[int, typer.Option(metavar="N", help="How many frames stand in a row.")] = 4,
    count: Annotated[int, typer.Option(metavar="N", help="How many frames in all.")] = 16,
    width: Annotated[int, typer.Option(metavar="PIXELS", help="The width of each.")] = 320,
    times: Annotated[bool, typer.Option(help="Whether each says when it is shown.")] = True,
    fps: Annotated[str | None, typer.Option(help="Frames per second, in place of a video's own times.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace what is there.")] = True,
    debug: DebugOption = False,
    **options: Any,
) -> None:
    """Make one picture of evenly spaced frames of a clip. Each says when it is shown."""
    from ..pictures.image_file import ImageFile  # start-up: Pillow, which other commands have no need of
    from ..pictures.sheet import contact_sheet

    file, given = ImageFile(output, _FORMATS, "output", overwrite), given_options(ArrayOptions, options)
    sheet = contact_sheet(clip, columns, count, times=times, width=width, fps=fps, **cast(ArrayOptions, given))
    encoded = io.BytesIO()
    sheet.save(encoded, file.format, quality=90)
    file.put(encoded.getvalue())
    print_facts([("file", output), ("picture", f"{sheet.width}x{sheet.height}")])


@with_options(ExportOptions)
def _grid(
    videos: Annotated[list[str], typer.Argument(help=f"Clips, each of which is: {_CLIP[0].lower()}{_CLIP[1:]}")],
    output: Annotated[str, typer.Option("--output", "-o", help="The file to write.")],
    columns: Annotated[int, typer.Option(metavar="N", help="How many stand in a row.")] = 2,
    padding: Annotated[int, typer.Option(metavar="PIXELS", help="Black between them.")] = 0,
    label: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="The text in each, in order; without, its name.")
    ] = None,
    labels: Annotated[bool, typer.Option(help="Whether a text is drawn into each.")] = True,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    **options: Any,
) -> None:
    """Write several clips side by side to a video file. One that ends early holds its last frame."""
    from ..pictures.arrange import grid  # start-up: as above

    sources = [open_source(each) for each in videos]
    given = given_options(ExportOptions, options)
    if "fps" not in given:
        given["fps"] = _rate(sources)
    given["progress"] = not quiet and errors_are_seen()
    all_options = complete(ExportOptions, cast(ExportOptions, given), "grid")
    texts = label or [os.path.basename(each.rstrip("/")) for each in videos]
    frames = grid(
        [each.frames for each in sources],
        columns,
        padding=padding,
        labels=texts if labels else None,
        **part(ArrayOptions, all_options),
    )
    video = export(FrameSource(frames), output, all_options)
    if not quiet:
        print_facts(facts_of_export(video))


def _rate(sources: list[FrameSource]) -> object:
    """Give the rate of the first video, and say so where others have another; 16 where none has one."""
    rates = [each.video.fps for each in sources if each.video is not None]
    if len(set(rates)) > 1:
        warn(f"the clips have {', '.join(map(str, rates))} fps: at {rates[0]} fps others are shown faster or slower")
    return rates[0] if rates else 16


def _compare(
    first: Annotated[str, typer.Argument(metavar="A", help=_CLIP)],
    second: Annotated[str, typer.Argument(metavar="B", help="The other.")],
    reference: Annotated[str | None, typer.Argument(metavar="FRAMES", help="What both were made of.")] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="The page to write.")] = "compare.html",
    titles: Annotated[tuple[str, str] | None, typer.Option(help="What the two are called.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace what is there.")] = True,
    debug: DebugOption = False,
) -> None:
    """Write a page that shows two clips in step. It says how near they are, and what is in both files."""
    from ..look.compare import compare  # start-up: as above

    page = compare(first, second, reference, output, titles=titles, overwrite=overwrite)
    print_facts([("page", str(page)), ("size", f"{page.stat().st_size:,} bytes")])


def _gallery(
    folder: Annotated[str, typer.Argument(metavar="DIR", help=_CLIPS)],
    output: Annotated[str, typer.Option("--output", "-o", help="The folder of the site.")] = "site",
    title: Annotated[str | None, typer.Option(help="The page's title; the folder's name without.")] = None,
    trust: TrustOption = None,
    debug: DebugOption = False,
) -> None:
    """Make a site of the clips in a folder. It opens from a disk: find, play and compare clips, copy their settings."""
    from ..look.gallery import gallery  # start-up: as above

    print_facts([("page", str(gallery(folder, output, title=title, trust_anchors=trust)))])


def _serve(
    folder: Annotated[str, typer.Argument(metavar="DIR", help=_CLIPS)],
    host: Annotated[
        str, typer.Option(help="Where to listen; on another address than this machine's, with a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 is any that is free.")] = 0,
    trust: TrustOption = None,
    browser: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    debug: DebugOption = False,
) -> None:
    """Serve a gallery of a folder until Ctrl-C. Clips that a run writes there appear by themselves."""
    from ..look.serve import serve  # start-up: as above

    def tell(address: str) -> None:
        print_text(address)
        if browser:
            webbrowser.open(address)

    serve(folder, host=host, port=port, trust_anchors=trust, on_start=tell)
