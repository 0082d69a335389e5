"""The blocks of README.md and of the pages in docs, run as a reader pastes them, in the order of their page.

Each page has a folder that is empty but for files of the reader's own, each block a namespace that is empty but for
`telecine` and values of the reader's own. The tables below have all of them.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import warnings
import wave
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFont

import telecine
from examples.sat import SmallDecoder, clouds

from ..support.documents import blocks_of, names_in, run_command, run_python
from ..support.helpers import ROOT, Clip, failing_at, waves
from ..support.object_store import ObjectStore
from ..support.reference import Real
from ..support.tiny_cogvideox import generate, tiny_pipeline

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::telecine.TelecineWarning")]

COUNT = 20  # frames

# Pages whose blocks another test runs, which asserts more of them or has what they need.
ELSEWHERE = {
    "docs/alpha.md": "tests/end_to_end/test_alpha.py",
    "docs/coming-from.md": "tests/integrations/test_coming_from.py",
    "docs/gradio.md": "tests/integrations/test_gradio.py",
    "docs/gymnasium.md": "tests/integrations/test_gymnasium.py",
    "docs/hdr.md": "tests/end_to_end/test_hdr.py",
    "docs/imageio.md": "tests/integrations/test_imageio.py",
    "docs/loggers.md": "tests/integrations/test_loggers.py",
    "docs/matplotlib.md": "tests/integrations/test_matplotlib.py",
    "docs/provenance.md": "tests/provenance/test_report.py",
    "docs/ray.md": "tests/stages/test_datasink.py",
    "docs/training.md": "tests/integrations/test_training.py",
    "docs/training-sets.md": "tests/integrations/test_training_sets.py",
}
PAGES = sorted(
    name
    for each in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    if (name := each.relative_to(ROOT).as_posix()) not in ELSEWHERE and [*blocks_of(each)]
)


# ---- what is the reader's own ----------------------------------------------------------------------------------------


class CogVideoXPipeline:
    """A tiny one, which takes a prompt without the text encoder that would read it; by its name its rate is known."""

    kind = "text"

    def __init__(self) -> None:
        self._pipe = tiny_pipeline(self.kind)
        self.transformer, self.vae = self._pipe.transformer, self._pipe.vae
        self.video_processor = self._pipe.video_processor

    def __call__(
        self,
        prompt: str,
        output_type: str = "pil",
        image: Image.Image | None = None,
        video: Sequence[Image.Image] = (),
        **_: Any,
    ) -> Any:
        return SimpleNamespace(frames=generate(self._pipe, output_type, source=[image] if image else video))


class CogVideoXImageToVideoPipeline(CogVideoXPipeline):
    kind = "image"


class CogVideoXVideoToVideoPipeline(CogVideoXPipeline):
    kind = "video"


def codes() -> Clip:
    return (255 * waves(COUNT)).astype(np.uint8)


def images() -> list[list[Image.Image]]:
    """What a pipeline gives."""
    return [[Image.fromarray(picture) for picture in codes()]]


def light() -> Real:
    return 2 * waves(COUNT)


INPUTS: dict[str, Callable[[], Any]] = {
    "after": codes,
    "before": codes,
    "chunks": lambda: [torch.zeros(1, 3, 8, 48, 64)] * 2,
    "clips": lambda: [codes()] * 3,
    "decode": lambda: lambda latents: [latents] * 2,
    "extra_pnginfo": lambda: {"workflow": {"nodes": []}},
    "file": io.BytesIO,
    "first_stage_model": SmallDecoder,
    "folder": Path,
    "frames": images,
    "image": lambda: images()[0][0],
    "image_to_video": cache(CogVideoXImageToVideoPipeline),
    "generate": lambda: lambda prompt: codes(),
    "latent": lambda: clouds(48, 64),
    "latents": lambda: torch.zeros(1, 3, 4, 48, 64),
    "light": light,
    "model": lambda: lambda chunk: chunk,
    "names": lambda: ["a", "b", "c"],
    "pipe": cache(CogVideoXPipeline),
    "prompt": lambda: "a panda",
    "prompts": lambda: [f"frame {index}" for index in range(COUNT)],
    "rows": lambda: rows(),
    "samples": lambda: np.zeros((2, 44_100), np.float32),
    "times": lambda: [index * index / 10 for index in range(COUNT)],
    "video_to_video": cache(CogVideoXVideoToVideoPipeline),
    "upload": lambda: SimpleNamespace(file=io.BytesIO(Path("clip.mp4").read_bytes())),
}
INPUTS_OF: dict[str, dict[str, Callable[[], Any]]] = {
    "docs/audio.md": {"chunks": lambda: [(codes(), np.zeros((2, 44_100), np.float32))] * 2},
    "docs/cogvideox.md": {"samples": lambda: torch.rand(1, 9, 3, 48, 64)},
}


def clip(path: Path, **options: Any) -> None:
    telecine.export_video(codes(), path, fps=16, **options)


def folder_of(suffix: str, count: int, path: Path) -> None:
    for index, picture in enumerate(codes()[:count]):
        name = path / f"{index:06}{suffix}"
        name.parent.mkdir(exist_ok=True)
        clip(name) if suffix == ".mp4" else Image.fromarray(picture).save(name)


def rows() -> list[dict[str, Any]]:
    np.save("frames.npy", codes())
    return [{"frames": "frames.npy", "output": "panda.mp4", "prompt": "a panda", "seed": 42}]


def table(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()))


def sound(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 16_000 * COUNT // 24))


def font(path: Path) -> None:
    found = ImageFont.load_default(16)
    path.write_bytes(found.path.getvalue())  # type: ignore[union-attr]


# Those that a page names.
FILES: dict[str, Callable[[Path], None]] = {
    "a.mp4": clip,
    "b.mp4": clip,
    "c.mp4": clip,
    "draft.mp4": partial(clip, quality="draft"),
    "av1.mp4": partial(clip, codec="av1"),
    "phone.mp4": clip,
    "fast.mp4": clip,
    "frames": partial(folder_of, ".png", COUNT),
    "images": partial(folder_of, ".png", COUNT),
    "run": partial(folder_of, ".mp4", 2),
    "runs": partial(folder_of, ".mp4", 2),
    "talk.wav": sound,
    "jobs.jsonl": table,
    "NotoSansCJK-Regular.ttc": font,
}
FILES_OF = {f"docs/{page}.md": ["clip.mp4"] for page in ("pictures", "reading", "size-and-time", "troubleshooting")}
# Libraries that are not here, or need what is not; the real ones are in tests/integrations.
STAND_INS = {
    "IPython": SimpleNamespace(display=SimpleNamespace(Video=lambda data, embed, mimetype: data)),
    "IPython.display": SimpleNamespace(),
}


def leave_journal(path: Path) -> None:
    """As a run that failed does."""
    path.parent.mkdir(exist_ok=True)
    with pytest.raises(RuntimeError):
        telecine.export_video(failing_at(COUNT, codes(), RuntimeError()), path)


# What went before a command, and the exit codes that are answers.
BEFORE: dict[str, Callable[[], None]] = {
    "telecine recover clip.mp4": lambda: leave_journal(Path("clip.mp4")),
    "telecine recover clip.mp4 -o elsewhere/clip.mp4": lambda: leave_journal(Path("clip.mp4")),
    "telecine recover --list folder/": lambda: leave_journal(Path("folder/clip.mp4")),
}
ANSWERS = {"telecine provenance show clip.mp4": 4}  # there is no manifest
# What takes hardware that may not be here, and a cluster that tests/stages/test_datasink.py has.
HARDWARE = {'encoder="h264_nvenc"': telecine.OptionError}
ON_A_CLUSTER = {"telecine batch jobs.jsonl -o s3://bucket/run --engine ray --address auto"}


# ---- the pages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_every_block_runs_as_pasted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: ObjectStore
) -> None:
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which the command replaces
    for library, stand_in in STAND_INS.items():
        monkeypatch.setitem(sys.modules, library, stand_in)
    monkeypatch.chdir(tmp_path)
    text = (ROOT / name).read_text(encoding="utf-8")
    for each in FILES_OF.get(name, []):
        clip(Path(each))
    if "speech.wav" in text:
        sound(Path("speech.wav"))
        s3.filesystem.pipe("bucket/speech.wav", Path("speech.wav").read_bytes())
    for each, make in FILES.items():
        if re.search(rf"\b{re.escape(each)}\b", text):
            make(Path(each))
    for block in blocks_of(ROOT / name):
        if block.is_python:
            with contextlib.suppress(*(error for words, error in HARDWARE.items() if words in block.text)):
                run_python(block, {**INPUTS, **INPUTS_OF.get(name, {})})
        else:
            command = block.text.partition("  #")[0].strip()
            BEFORE.get(command, lambda: None)()
            assert command in ON_A_CLUSTER or run_command(command) == ANSWERS.get(command, 0), block


def test_what_runs_elsewhere_is_run_there() -> None:
    for page, test in ELSEWHERE.items():
        if (ROOT / page).is_file():
            assert Path(page).name in (ROOT / test).read_text(encoding="utf-8"), f"{test} runs no block of {page}"


def test_the_tables_have_nothing_that_no_page_takes() -> None:
    pages = [ROOT / name for name in PAGES]
    blocks = [block for page in pages for block in blocks_of(page)]
    used = set[str]().union(*(names_in(compile(each.text, each.place, "exec")) for each in blocks if each.is_python))
    assert INPUTS.keys() - used == set()
    texts = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert [each for each in (*FILES, *BEFORE, *ANSWERS, *HARDWARE, *ON_A_CLUSTER) if each not in texts] == []
