"""The closed lists of which an argument takes one, as types. Each is in a table too: a test holds them together."""

from __future__ import annotations

from typing import Literal, TypeAlias

FormatName: TypeAlias = Literal[
    "mp4", "mov", "webm", "mkv", "hls", "gif", "webp", "apng", "avif", "png", "tiff", "jpeg", "exr"
]  # fmt: skip
CodecName: TypeAlias = Literal["h264", "hevc", "av1", "vp9", "prores", "ffv1"]
QualityName: TypeAlias = Literal["draft", "balanced", "high", "visually-lossless", "lossless"]
PresetName: TypeAlias = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"
]
PixelFormatName: TypeAlias = Literal[
    "yuv420p", "yuv422p", "yuv444p",
    "yuv420p10le", "yuv422p10le", "yuv444p10le",
    "yuv420p12le", "yuv422p12le", "yuv444p12le",
    "yuva420p", "yuva444p10le", "yuva444p12le",
    "gbrp", "gbrp10le", "gbrp12le", "gbrp16le",
    "gbrap", "gbrap10le", "gbrap12le", "gbrap16le",
    "rgb24", "bgr24", "rgba", "bgra", "rgb48le", "rgba64le",
]  # fmt: skip
BitDepth: TypeAlias = Literal[8, 10, 12, 16, 32]  # of a folder of images up to 32
ChromaName: TypeAlias = Literal["4:2:0", "4:2:2", "4:4:4"]
ColorName: TypeAlias = Literal["auto", "bt601", "bt709", "pq", "hlg"]
LightName: TypeAlias = Literal["scene-linear", "display-linear", "encoded"]
PrimariesName: TypeAlias = Literal["bt709", "p3-d65", "bt2020"]
ChannelOrder: TypeAlias = Literal["RGB", "BGR"]
AudioFitName: TypeAlias = Literal["pad", "trim", "loop"]
LatencyName: TypeAlias = Literal["normal", "low"]
AlgorithmName: TypeAlias = Literal["es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519"]
