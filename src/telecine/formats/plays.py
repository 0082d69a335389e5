"""The table of where each output plays, by what the makers of players say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plays:
    """Where an output plays, in its codec's first pixel format: "yes"; "some" of them or some machines; "no".

    `browser` is Chrome, Firefox and Safari; `quicktime` Apple's player; `editor` Premiere Pro, DaVinci Resolve and
    Final Cut Pro. `archive` is "yes" for what the Library of Congress prefers for keeping, and "if lossless" for what
    gives the same RGB back with quality="lossless".
    """

    browser: str
    quicktime: str
    editor: str
    archive: str


# By output, and by codec where it has one. Browsers and QuickTime: caniuse.com (hevc, av1, webm, avif, webp, apng),
# WebKit's and Apple's release notes: AV1 where the chip decodes it, HEVC in Chrome and Firefox where the machine does.
# Editors: their lists of formats. Archives: the Recommended Formats Statement of the Library of Congress, which prefers
# FFV1 in Matroska and ProRes 422 HQ.
PLAYS = {
    ("mp4", "h264"): Plays("yes", "yes", "yes", "if lossless"),
    ("mp4", "hevc"): Plays("some", "yes", "yes", "if lossless"),
    ("mp4", "av1"): Plays("some", "some", "some", "no"),
    ("mov", "h264"): Plays("yes", "yes", "yes", "if lossless"),
    ("mov", "hevc"): Plays("some", "yes", "yes", "if lossless"),
    ("mov", "prores"): Plays("some", "yes", "yes", "yes"),
    ("webm", "vp9"): Plays("yes", "no", "some", "if lossless"),
    ("webm", "av1"): Plays("some", "no", "some", "no"),
    ("mkv", "h264"): Plays("some", "no", "some", "if lossless"),
    ("mkv", "hevc"): Plays("some", "no", "some", "if lossless"),
    ("mkv", "av1"): Plays("some", "no", "some", "no"),
    ("mkv", "vp9"): Plays("some", "no", "some", "if lossless"),
    ("mkv", "ffv1"): Plays("no", "no", "some", "yes"),
    ("hls", "h264"): Plays("some", "yes", "no", "no"),
    ("hls", "hevc"): Plays("some", "yes", "no", "no"),
    ("hls", "av1"): Plays("some", "some", "no", "no"),
    ("gif", ""): Plays("yes", "no", "some", "no"),
    ("webp", ""): Plays("yes", "no", "no", "if lossless"),
    ("apng", ""): Plays("yes", "no", "no", "if lossless"),
    ("avif", ""): Plays("yes", "no", "no", "no"),
    ("png", ""): Plays("no", "some", "yes", "if lossless"),
    ("tiff", ""): Plays("no", "some", "yes", "if lossless"),
    ("jpeg", ""): Plays("no", "some", "yes", "no"),
    ("exr", ""): Plays("no", "no", "some", "no"),
}
