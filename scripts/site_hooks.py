"""What mkdocs does besides: pages from outside ``docs/``, notebooks, and the command line's page.

The pages of ``docs/`` are Markdown whose links hold in the source tree. Here links that leave
``docs/`` lead to copies under ``source/``; of what is no page (code, data) the text is left.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/*.md",
    "benchmarks/*.svg",
    "examples/*.md",
    "examples/*/*.md",
    "examples/*/*.png",
    "netx_exports/*.md",
)
VERBS = "<!-- verbs -->"
CODE = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside, and each notebook as a page beside itself."""
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            name = f"source/{path.relative_to(ROOT).as_posix()}"
            files.append(File.generated(config, name, content=path.read_bytes()))
    for file in list(files):
        if file.src_uri.endswith(".ipynb"):
            for name, content in _notebook(file.src_uri, Path(file.abs_src_path or "")):
                files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links so that they hold on the site, and fill the page of the command line."""
    here = page.file.src_uri
    in_tree = here.removeprefix("source/") if here.startswith("source/") else f"docs/{here}"

    def turned(found: re.Match[str]) -> str:
        mark, text, target = found.groups()
        path, hash_sign, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", target):
            return found[0]
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(in_tree), path))
        there = _on_site(wanted, files)
        if there is None:
            return text  # code or data: it is no part of the site
        relative = posixpath.relpath(there, posixpath.dirname(here) or ".")
        return f"{mark}[{text}]({relative}{hash_sign}{anchor})"

    pieces = CODE.split(markdown)
    # A link's text may hold code, so links are looked for where no fence is open.
    fenced = [piece if piece.startswith("```") else None for piece in pieces]
    out: list[str] = []
    for prose, fence in _joined(pieces, fenced):
        out.append(LINK.sub(turned, prose))
        out.append(fence)
    text = "".join(out)
    return text.replace(VERBS, "\n".join(verbs())) if VERBS in text else text


def _joined(pieces: list[str], fenced: list[str | None]) -> Iterator[tuple[str, str]]:
    """Pairs of prose, code within lines included, and the fence that ends it."""
    prose = ""
    for piece, fence in zip(pieces, fenced, strict=True):
        if fence is None:
            prose += piece
        else:
            yield prose, fence
            prose = ""
    yield prose, ""


def _on_site(path: str, files: Files) -> str | None:
    """Where a path of the source tree lies on the site; None where it does not."""
    if path == "README.md":
        return "index.md"
    inside = path.removeprefix("docs/") if path.startswith("docs/") else f"source/{path}"
    if inside.endswith(".ipynb"):
        inside = f"{inside.removesuffix('.ipynb')}.md"
    for candidate in (inside, f"{inside}/README.md", f"{inside}/index.md"):
        if files.get_file_from_path(candidate) is not None:
            return candidate
    if path.startswith("docs/") and not (ROOT / path).exists():
        return inside  # mkdocs then says what is missing
    return None


def _notebook(name: str, path: Path) -> Iterator[tuple[str, str | bytes]]:
    """Give a notebook as a page, and its pictures."""
    from nbconvert import MarkdownExporter

    stem = name.removesuffix(".ipynb")
    text, resources = MarkdownExporter().from_filename(str(path))
    for picture, content in resources["outputs"].items():
        renamed = f"{posixpath.basename(stem)}_{picture}"
        text = text.replace(picture, renamed)
        yield posixpath.join(posixpath.dirname(name), renamed), content
    note = f"\n*This page is a notebook: `docs/{name}` in a clone.*\n"
    title, newline, rest = text.partition("\n")
    yield f"{stem}.md", f"{title}{newline}{note}{rest}"


def verbs() -> Iterator[str]:
    """Give each verb of the command line with its help, arguments and options."""
    import typer

    from neurodeploy.cli.app import app

    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        yield f"## {name}\n"
        yield f"{_paragraphs(command.help)}\n"
        shown = [p for p in command.params if not p.hidden and "--help" not in p.opts]
        arguments = [p for p in shown if p.param_type_name == "argument"]
        words = " ".join(p.metavar or p.name.upper() for p in arguments)
        yield f"```\nneurodeploy {name} {words}{' ' if words else ''}[OPTIONS]\n```\n"
        yield "| | |\n|---|---|"
        for parameter in (*arguments, *(p for p in shown if p not in arguments)):
            yield _row(parameter)
        yield ""


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        spelt = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
        words = [*parameter.opts, *parameter.secondary_opts]
        spelt = ", ".join([*(f"`{word}`" for word in words[:-1]), f"`{words[-1]}{value}`"])
    said = " ".join((parameter.help or "").split())
    if parameter.required and parameter.param_type_name != "argument":
        said += " Must be given."
    default = parameter.default
    if isinstance(default, (str, int, float)) and not isinstance(default, bool):
        said += f" Default: `{default}`."
    cells = (cell.replace("|", "\\|") for cell in (spelt, said))
    return f"| {' | '.join(cells)} |"


def _paragraphs(text: str | None) -> str:
    return "\n".join(line.strip() for line in (text or "").replace("\f", "").splitlines())
