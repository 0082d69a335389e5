"""The site of these pages, which `make docs` builds into out/docs: Markdown, and a reference made of the docstrings."""

import re
from typing import Any

from docutils.nodes import Element, field_list
from sphinx.addnodes import desc_parameterlist
from sphinx.application import Sphinx

import telecine

# Without the name of the commit, which is wider than a phone.
project, version, language = "telecine", telecine.__version__.partition("+")[0], "en"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

html_theme, html_title = "furo", f"telecine {version}"
html_show_copyright = html_show_sphinx = html_copy_source = False

smartquotes_action = "D"  # dashes: "high" is a value

myst_heading_anchors = 3

autodoc_default_options = {"members": True}
autodoc_inherit_docstrings = add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints, autodoc_typehints_format = "description", "short"
napoleon_use_rtype = False

# What stands beside these pages, where a reader of the source finds it, is a page of the site too.
_BESIDE = {
    "../CONTRIBUTING.md": "contributing.md",
    "../bench/RESULTS.md": "results.md",
    "../examples/": "path:../examples/",
}

_SECTION = re.compile(r"^(Args|Returns|Raises):\n((?:(?: .*)?\n)*)", re.MULTILINE)


def _to_the_sites_own(app: Sphinx, page: str, source: list[str]) -> None:
    """Lead links to pages of the site, and have those that are called after a file called after its title."""
    for target, own in _BESIDE.items():
        source[0] = source[0].replace(f"]({target}", f"]({own}")
    source[0] = re.sub(r"\[[\w/-]+\.md\]\(", "[](", source[0])


def _as_sphinx_has_it(app: Sphinx, what: str, name: str, target: Any, options: Any, lines: list[str]) -> None:
    """Put the arguments, with the texts of options, and the errors in one place; make code and links of backticks."""
    text, _, of_options = "\n".join([*lines, ""]).partition("\nOptions:\n")
    first = _SECTION.search(text)
    place = first.start() if first else len(text)
    sections = dict(_SECTION.findall(text))
    if of_options:
        sections = {"Args": "", **sections}
        sections["Args"] = sections["Args"].rstrip() + "\n" + of_options
    together = "".join(f"{name}:\n{body.rstrip()}\n\n" for name, body in sections.items())
    text = text[:place] + together + _SECTION.sub("", text[place:])
    text = re.sub(r"(?<!`)`([^`]+)`(?!`)", _code, text)
    lines[:] = re.sub(r"\bdocs/([\w-]+)\.md", r":doc:`\1`", text).split("\n")


def _code(found: re.Match[str]) -> str:
    name = found[1].removeprefix("telecine.")
    return f":py:obj:`~telecine.{name}`" if name in telecine.__all__ else f"``{found[1]}``"


def _without_arguments(app: Sphinx, domain: str, kind: str, content: Element) -> None:
    """Leave out what an error is made with, which is telecine's own affair."""
    if kind == "exception":
        for each in [*content.parent.findall(desc_parameterlist), *content.findall(field_list)]:
            each.parent.remove(each)


def setup(app: Sphinx) -> None:
    """Take what the pages and the docstrings have for other readers as the site has it; Sphinx calls this."""
    app.connect("source-read", _to_the_sites_own)
    app.connect("autodoc-process-docstring", _as_sphinx_has_it, priority=400)  # before napoleon
    app.connect("object-description-transform", _without_arguments, priority=600)  # after autodoc
