"""What it runs on: the system, processors, memory, the terminal, and names of variables that change what happens."""

from __future__ import annotations

import locale
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from .._convert import instruction_set
from ..support.processors import available_processors
from .findings import Check, in_gibibytes

# Of which the names are told, and never what they hold.
_VARIABLES = re.compile(
    r"AV_|AWS_|COLUMNS$|COLORTERM$|CUDA_|DRI_|FFMPEG|FORCE_COLOR$|FSSPEC_|GOMP_|GOOGLE_APPLICATION|HIP_|HTTPS?_PROXY$|"
    r"JAX_|KMP_|LANG$|LANGUAGE$|LC_|LD_|DYLD_|LIBVA_|LOCAL_RANK$|MALLOC_|MKL_|NCCL_|NO_COLOR$|NO_PROXY$|NVIDIA_|OMP_|"
    r"OPENBLAS_|PYTHON|PYTORCH_|RANK$|RAY_|ROCR_|SLURM_|SOURCE_DATE_EPOCH$|SVT_|TELECINE|TERM$|TMPDIR$|TEMP$|TMP$|"
    r"TORCH_|VIRTUAL_ENV$|CONDA_PREFIX$|WORLD_SIZE$"
)


def checks() -> Iterator[Check]:
    """Give what is to be looked at."""
    yield "system", _system
    yield "libc", lambda: " ".join(filter(None, platform.libc_ver())) or "of the system"
    yield "processor", _processor
    yield "processors", lambda: f"{available_processors()} of {os.cpu_count()} may be used"
    yield "instruction set", lambda: f"{instruction_set()}, of telecine's own kernel"
    yield "memory", _memory
    yield "NVIDIA driver", lambda: _first_line("/proc/driver/nvidia/version") or "none is loaded"
    yield "fonts", _fonts
    yield "terminal", _terminal
    yield "locale", _locale
    yield "variables", lambda: ", ".join(sorted(filter(_VARIABLES.match, os.environ))) or "none that matter"


def _system() -> str:
    release = ""
    if sys.platform == "linux":
        release = f" ({platform.freedesktop_os_release().get('PRETTY_NAME', '')})"
    return platform.platform() + release


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", _text("/proc/cpuinfo"), re.MULTILINE)
    return f"{found[1] if found else platform.processor() or 'unknown'} ({platform.machine()})"


def _memory() -> str:
    found = dict(re.findall(r"^(\w+): +(\d+) kB$", _text("/proc/meminfo"), re.MULTILINE))
    if "MemTotal" not in found:
        if not hasattr(os, "sysconf"):
            return "unknown"
        return f"{in_gibibytes(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE'))} in all"
    said = f"{in_gibibytes(int(found['MemAvailable']) << 10)} of {in_gibibytes(int(found['MemTotal']) << 10)} are free"
    limit = _first_line("/sys/fs/cgroup/memory.max")
    return f"{said}, of which {in_gibibytes(int(limit))} may be used" if limit.isdecimal() else said


def _fonts() -> str:
    from PIL import ImageFont  # a check of its own, should Pillow be broken

    font = ImageFont.load_default(16)
    kind = " ".join(map(str, font.getname())) if isinstance(font, ImageFont.FreeTypeFont) else "a bitmap of 11 pixels"
    return f"labels are drawn in Pillow's own: {kind}"


def _terminal() -> str:
    output = sys.stdout
    if output is None:
        return "none: there is no standard output"
    where = "a notebook" if "ipykernel" in sys.modules else "a terminal" if output.isatty() else "no terminal"
    columns = shutil.get_terminal_size().columns
    return f"{where}, {output.encoding}, TERM={os.environ.get('TERM', '')!r}, {columns} columns"


def _locale() -> str:
    of_text = ".".join(filter(None, locale.getlocale())) or "none"
    return f"{of_text}, files in {sys.getfilesystemencoding()}, text in {locale.getpreferredencoding(False)}"


def _first_line(path: str) -> str:
    return _text(path).partition("\n")[0].strip()


def _text(path: str) -> str:
    """Give what the system tells in a file; nothing where it tells it otherwise."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
