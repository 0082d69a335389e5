"""The options of a writer and of an export, each written once: see `frames.options`, which has those of frames."""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, cast

from ..color.hdr import MasteringDisplay
from ..errors import OptionError
from ..formats.choices import (
    AudioFitName,
    BitDepth,
    ChromaName,
    CodecName,
    ColorName,
    FormatName,
    LatencyName,
    PixelFormatName,
    PresetName,
    QualityName,
)
from ..frames.options import MOVING, VIDEO, ChangeOptions, Kind, Option, options_of

if TYPE_CHECKING:
    from ..deliver.live import Broadcast, Listener
    from ..files.urls import StorageOptions
    from ..metadata.tags import Json
    from ..provenance.seal import Provenance
    from ..sound.forms import Audio
    from ..support.clock import Seconds
    from ..support.rate import FrameRate
    from .progress import Progress


class WriterOptions(ChangeOptions, total=False):
    """What a `VideoWriter` takes beside the path."""

    fps: Annotated[
        "FrameRate",
        Option(16, """Frames per second: a number, a Fraction or text such as "24000/1001". 29.97 means 30000/1001."""),
    ]
    codec: Annotated[
        CodecName | None,
        Option(
            None,
            """"h264", "hevc", "av1", "vp9", "prores" or "ffv1". Without one, h264, and vp9 in WebM.""",
            VIDEO,
        ),
    ]
    encoder: Annotated[
        str | None,
        Option(
            None,
            """FFmpeg's name of the encoder, in place of the codec's usual one, such as "h264_nvenc". Or "auto": the
            usual one, and where FFmpeg is built without it, the first other that opens, which a note names.""",
            VIDEO,
        ),
    ]
    quality: Annotated[
        QualityName,
        Option(
            "high",
            """"draft", "balanced", "high", "visually-lossless", or "lossless" for RGB that comes back bit by bit. Each
            but the last has a floor (docs/quality.md): a video whose first frames are below it gets a lower crf.""",
        ),
    ]
    crf: Annotated[
        float | None,
        Option(
            None,
            """The encoder's constant rate factor, in place of the quality level's: 0 to 51, lower is better.""",
            VIDEO,
        ),
    ]
    bitrate: Annotated[int | None, Option(None, """Bits per second, in place of a crf.""", VIDEO)]
    max_bytes: Annotated[
        int | None,
        Option(
            None,
            """The most bytes that the file may have. Where it takes more, its frames are encoded again at close, in
            two passes or more; the quality or the crf is the most that they get. The copy of the frames that this needs
            lies unseen beside the journal, compressed without loss.""",
            VIDEO,
        ),
    ]
    target: Annotated[
        str | None,
        Option(
            None,
            """How near to its frames the video is to be: "vmaf:95", or "xpsnr:42", which is in dB and of luma. The crf
            is chosen for it: at close the video is measured, and its frames are encoded again until the number is
            reached, or a little more, which a note tells. Of 8-bit video; it keeps a copy of the frames as `max_bytes`
            does.""",
            VIDEO,
        ),
    ]
    preset: Annotated[
        PresetName | None,
        Option(
            None,
            """The encoder's speed, "ultrafast" to "placebo", in place of the quality level's.""",
            VIDEO,
        ),
    ]
    keyframe_interval: Annotated[
        int | None,
        Option(
            None,
            """The most frames from one key frame to the next, to which players seek and cutters cut; 1 makes all frames
            key frames. Without one it is the encoder's: 250 of x264 and x265.""",
            VIDEO,
        ),
    ]
    encoder_options: Annotated[
        Mapping[str, str | int | float] | None,
        Option(None, """FFmpeg's options of the encoder, by name. One that it would ignore is an error.""", VIDEO),
    ]
    pixel_format: Annotated[
        PixelFormatName | None,
        Option(
            None,
            """FFmpeg's name of one that the codec takes, "yuv420p" unless the codec begins with another.""",
            VIDEO,
        ),
    ]
    bit_depth: Annotated[BitDepth | None, Option(None, """8, 10 or 12, in place of a pixel format.""")]
    chroma: Annotated[
        ChromaName | None,
        Option(None, """"4:2:0", "4:2:2" or "4:4:4", in place of a pixel format.""", VIDEO),
    ]
    dither: Annotated[
        bool,
        Option(
            False,
            """Whether 8-bit codes are dithered, so that slow gradients have no bands; h264 keeps it from "high" on.""",
            VIDEO,
        ),
    ]
    color: Annotated[
        ColorName,
        Option(
            "auto",
            """"auto" (BT.601 up to 576 lines and 1024 columns, BT.709 above), "bt601", "bt709", or for HDR "pq" or
            "hlg" of BT.2100, in HEVC or AV1 of 10 bit or more.""",
            VIDEO,
        ),
    ]
    mastering_display: Annotated[
        MasteringDisplay | None,
        Option(
            None,
            """The display that HDR frames were judged on, which the file tells: P3-D65 of 1000 cd/m2 if not given. How
            bright the frames are is measured.""",
            VIDEO,
        ),
    ]
    hold: Annotated[
        "Seconds | None",
        Option(None, """How many seconds the last frame is shown, in place of as long as the one before it.""", MOVING),
    ]
    repeat: Annotated[int, Option(0, """How many more times the last frame is written.""")]
    last_frame: Annotated[
        "str | os.PathLike[str] | None",
        Option(
            None,
            """Where the last frame goes too, as a PNG: what the next clip of a chain begins with. It is made of the
            pixels that were given, as they are encoded, not of the file's: 8 bit, or 16 of uint16, PQ and HLG. Alpha
            stays.""",
        ),
    ]
    audio_rate: Annotated[
        int | None,
        Option(None, """The samples a second of the sound that is written as arrays.""", VIDEO),
    ]
    audio_fit: Annotated[
        AudioFitName,
        Option(
            "pad",
            """"pad" keeps all frames and all sound, and silence follows the sound where it is shorter; "trim" ends the
            sound with the video; "loop" does too, and lets it begin again as often as it takes.""",
            VIDEO,
        ),
    ]
    metadata: Annotated[
        "Mapping[str, Json] | None",
        Option(
            None,
            """What the file says of itself: JSON values by any names (docs/metadata.md); `probe` gives them back.""",
        ),
    ]
    provenance: Annotated[
        "Provenance | None",
        Option(
            None,
            """What a signed C2PA manifest says of where the file comes from; what signs it is tried at once.""",
            MOVING,
        ),
    ]
    also_to: Annotated[
        "Listener | Broadcast | None",
        Option(
            None,
            """A function that is given the video while it grows, as bytes of a fragmented MP4: its init segment, then
            fragments. It is called in a thread of its own. The video is encoded without B-frames and lookahead then. A
            function that is too slow loses fragments, and a warning tells how many. They have the sound that was given
            before the first frame. Or a `telecine.Broadcast`, for several listeners.""",
            VIDEO,
        ),
    ]
    live: Annotated[
        bool,
        Option(
            False,
            """Whether a page of this machine shows the video while it grows, and then the finished file. Its address,
            under a random token, is told on standard error before the first frame. The video is encoded as with
            `also_to`.""",
            VIDEO,
        ),
    ]
    fragment: Annotated[
        float | None,
        Option(
            None,
            """The most seconds of a fragment of what is handed out while it grows: 0.5 if not given, and 2 of HLS. Each
            begins with a key frame.""",
            VIDEO,
        ),
    ]
    latency: Annotated[
        LatencyName,
        Option(
            "normal",
            """"normal", or "low" to hand out each frame as soon as it is encoded, with a key frame as often.""",
            VIDEO,
        ),
    ]
    only_rank: Annotated[
        int | None,
        Option(
            None,
            """The rank of the one process of a distributed run that writes. On the others nothing is encoded and no
            path is touched; an iterator of frames is used up, and the video that comes back has no frames. Without, all
            processes write.""",
        ),
    ]
    overwrite: Annotated[bool, Option(True, """Whether a file at the path may be replaced.""")]
    storage_options: Annotated[
        "StorageOptions | None",
        Option(
            None,
            """What the store of a URL is opened with, as pandas and fsspec have it: keys, an endpoint. Without, what
            its library finds: environment variables, files in the home folder, the machine's role. In
            `export_video` they go with frames and sound too whose URLs are of the path's scheme; or where the path is
            no URL, with those alone.""",
        ),
    ]
    progress: Annotated[
        "Progress",
        Option(
            False,
            """True for a bar on the terminal, or a function of (frames done, frames in all or None). If that has an
            `uploaded`, it is called with (bytes that a store has, bytes in all).""",
        ),
    ]
    loops: Annotated[
        int | None,
        Option(
            None,
            """How many times a GIF, WebP or APNG is shown; 0, and without one, forever.""",
            ("moving image",),
        ),
    ]
    format: Annotated[
        FormatName | None,
        Option(
            None,
            """"mp4", "mov", "webm", "mkv", "hls", "gif", "webp", "apng" or "avif", in place of the path's extension; or
            "png", "tiff", "jpeg" or "exr" for a folder of images, which has no times.""",
        ),
    ]


class ExportOptions(WriterOptions, total=False):
    """What `export_video` takes beside the frames and the path."""

    timestamps: Annotated[
        "Iterable[Seconds] | None",
        Option(
            None,
            """When each frame is shown, in seconds that go up, in place of the frame rate. They are kept to 1/120000 s.
            The video begins with its first frame.""",
            MOVING,
        ),
    ]
    audio: Annotated[
        "Audio | None",
        Option(
            None,
            """The sound: an array or tensor of samples, (channels, n), (n, channels) or (n,), of int16 or int32 of full
            scale or of floats in [-1, 1], with `audio_rate`; or samples with their rate, as ComfyUI, `datasets`,
            transformers, torchcodec, soundfile and gradio have them; or a file that FFmpeg reads, such as a video:
            its path or URL, or the open file.""",
            VIDEO,
        ),
    ]


def refuse_others(options: WriterOptions, kind: Kind, format: str) -> None:
    """Raise OptionError if an option is given that goes with another kind of output than this one."""
    values = cast("Mapping[str, object]", options)
    for name, option in options_of(WriterOptions).items():
        if kind not in option.takes and values[name] != option.default:
            raise OptionError(f"{name}={values[name]!r} does not go with {format}: leave it out")
