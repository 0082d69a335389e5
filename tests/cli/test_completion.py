"""Completion in shells: of commands, options, the values that options have names of, and files."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from telecine.formats.choices import QualityName
from telecine.formats.encoders import ENCODERS

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "TERM": "dumb", "INPUTRC": os.devnull}
SCRIPT = "import sys; sys.argv[0] = 'telecine'; from telecine.cli.commands import run; run(['--show-completion', {!r}])"
# In place of the command when the line is run, and not when it is completed: what it is given, and an end.
SHADOW = 'telecine() { printf \'given<%s>\\n\' "$@"; echo "end$((1))"; }\n'


def script_of(shell: str) -> str:
    """What `telecine --show-completion` prints in a shell."""
    environment = {**ENVIRONMENT, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # which takes the shell's name
    code = SCRIPT.format(shell)
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment).stdout


def typed(keys: str, folder: Path) -> list[str]:
    """Type keys at an interactive bash in a folder, and give the arguments that the command gets then."""
    (folder / ".completion").write_text(script_of("bash"))
    ours, theirs = pty.openpty()
    started = ["bash", "--norc", "--noprofile", "-i"]
    with subprocess.Popen(
        started, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=ENVIRONMENT, start_new_session=True
    ) as bash:
        os.close(theirs)
        os.write(ours, f"source .completion\n{SHADOW}{keys}\nexit\n".encode())
        seen = b""
        while b"end1" not in seen:
            seen += os.read(ours, 4096)
        bash.kill()
        os.close(ours)
    return re.findall(r"^given<(.*)>\r$", seen.decode(), re.MULTILINE)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_commands_options_values_and_files(tmp_path: Path) -> None:
    for name in ("my clip.mp4", "frames.npy"):
        (tmp_path / name).touch()
    given = typed("telecine exp\tfr\t--cod\thev\t--qual\tdra\t-o my\t", tmp_path)
    assert given == ["export", "frames.npy", "--codec", "hevc", "--quality", "draft", "-o", "my clip.mp4"]
    assert typed("telecine prov\tsh\tmy\t--j\t", tmp_path) == ["provenance", "show", "my clip.mp4", "--json"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_completes_commands_options_and_values(tmp_path: Path) -> None:
    script = tmp_path / "completion.fish"
    script.write_text(script_of("fish"))
    for line, word in (("telecine exp", "export"), ("telecine export --codec hev", "hevc")):
        asked = ["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"]
        done = subprocess.run(asked, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        assert [each.partition("\t")[0] for each in done.stdout.splitlines()] == [word]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")
def test_zsh_reads_the_script(tmp_path: Path) -> None:
    script = tmp_path / "_telecine"
    script.write_text(script_of("zsh"))
    code = f"autoload -U compinit && compinit -D -u; source {script}; print $_comps[telecine]"
    done = subprocess.run(["zsh", "-f", "-c", code], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert done.stdout == "_telecine_completion\n"


def completed(line: str, shell: str = "bash") -> list[str]:
    """What the last word of a line may become, as a shell's script asks it."""
    asked = {
        "_TELECINE_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line.replace(" ", "\n"),
        "COMP_CWORD": str(line.count(" ")),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run([BIN / "telecine"], capture_output=True, text=True, env={**ENVIRONMENT, **asked})
    assert (done.returncode, done.stderr) == (0, "")
    return [each for each in done.stdout.splitlines() if each]


def test_every_option_whose_values_have_names_is_completed_by_them() -> None:
    assert completed("telecine export --quality ") == list(QualityName.__args__)  # type: ignore[attr-defined]
    assert completed("telecine export --encoder ") == [*ENCODERS, "auto"]
    assert completed("telecine batch jobs.jsonl --engine ") == ["local", "ray"]
    assert completed("telecine concat --format m") == ["mp4", "mov", "mkv"]
    assert completed("telecine export --bit-depth 1") == ["10", "12", "16"]
    assert completed("telecine export --pixel-format yuva") == ["yuva420p", "yuva444p10le", "yuva444p12le"]
    assert completed("telecine export frames -o ") == completed("telecine export --audio ") == []  # files
    flags = completed("telecine export --c")
    assert {"--codec", "--crf", "--chroma", "--channels", "--color"} == set(flags)


def test_each_shell_is_told_in_its_own_way() -> None:
    assert completed("telecine export --codec hev", "fish") == ["hevc"]
    assert completed("telecine export --codec hev", "zsh") == ["_arguments '*: :((\"hevc\"))'"]
    assert completed("telecine export -o ", "zsh") == ["_files"]
    assert completed("telecine gal", "fish")[0].startswith("gallery\tMake a site of the clips in a folder")


def test_completion_imports_what_the_command_does_and_no_more() -> None:
    """It is as quick as the quickest command: each key waits for it."""
    count = (
        "import atexit, sys; atexit.register(lambda: print(sum(not each.startswith('rich') for each in sys.modules)))"
    )
    code = f"{count}; sys.argv[:] = ['telecine', *sys.argv[1:]]; from telecine.cli.commands import run; run()"
    asked = {"_TELECINE_COMPLETE": "complete_bash", "COMP_WORDS": "telecine\nexport\n--codec\n", "COMP_CWORD": "3"}
    loaded = [
        subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment).stdout
        for arguments, environment in (([], {**ENVIRONMENT, **asked}), (["--version"], ENVIRONMENT))
    ]
    completion, version = (int(each.split()[-1]) for each in loaded)
    assert completion <= version + 5
