"""`telecine doctor`: what is here and what works, section by section as it is found."""

from __future__ import annotations

import contextlib
import faulthandler
import sys

from .as_json import plain
from .options import DebugOption, JsonOption
from .terminal import print_facts, print_json, print_text


def doctor(as_json: JsonOption = False, debug: DebugOption = False) -> int:
    """Say what is here and what works, for a report of trouble. Exit code 1 if H.264 in MP4 does not."""
    from ..diagnosis.doctor import Diagnosis, examined, markdown  # start-up: it looks at what others have no need of

    with contextlib.suppress(OSError, RuntimeError):  # there is no standard error
        faulthandler.enable()  # should an encoder end the process, this says where
    is_terminal, sections = sys.stdout is not None and sys.stdout.isatty(), []
    for part in examined():
        sections.append(part)
        if as_json:
            continue
        if is_terminal:
            print_facts([(part.title, ""), *((f"  {each.name}", each.text) for each in part.findings)])
            print_text("")
        else:
            print_text(markdown(part))
    found = Diagnosis(tuple(sections))
    if as_json:
        print_json({**plain(found), "ok": found.ok})
    else:
        print_text(found.verdict)
    return 0 if found.ok else 1
