"""The pages of build/report: every executed lesson, and a contents page with a thumbnail each.

The pages need no network: style and pictures are inside, formulas become MathML.
"""

import base64
import copy
import re
from html import escape, unescape
from pathlib import Path

import nbformat
from jinja2 import Environment, FileSystemLoader, pass_context, select_autoescape
from latex2mathml.converter import convert as to_mathml
from markupsafe import Markup
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat.notebooknode import NotebookNode
from pygments.formatters import HtmlFormatter

from .execute import Result
from .files import write_all
from .header import with_header
from .outputs import clean, picture_alt
from .project import Lesson, Project
from .run import points, problems

TEMPLATES = Path(__file__).with_name("templates")


def write(results: list[Result], project: Project, *, profile: str) -> Path:
    """Writes build/report/NAME.html for each result and index.html for all lessons that were ever run here.

    The executed notebooks stand beside the pages; their metadata keeps what the contents page shows.

    Returns:
        The path of index.html.
    """
    folder = project.build / "report"
    pages = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(["html.j2"]))
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))
    code_style = Markup(HtmlFormatter(style="friendly").get_style_defs(".highlight"))
    texts: dict[Path, str] = {}
    notebooks = {path.stem: nbformat.read(path, as_version=4) for path in folder.glob("*.ipynb")}
    for result in results:
        lesson, place = result.lesson, project.lessons.index(result.lesson)
        clean(result.notebook, lesson, for_storage=False)
        notebook = notebooks[lesson.name] = with_header(result.notebook, lesson, project)
        notebook.metadata["course"] = {"pills": _pills(result), "profile": profile}
        body = _body(notebook)
        texts[folder / f"{lesson.name}.ipynb"] = nbformat.writes(notebook, version=4) + "\n"
        texts[folder / f"{lesson.name}.html"] = pages.get_template("page.html.j2").render(
            lesson=lesson,
            before=project.lessons[place - 1] if place else None,
            after=project.lessons[place + 1] if place + 1 < len(project.lessons) else None,
            headings=_headings(body),
            pills=_pills(result),
            problems=problems(result),
            body=Markup(body),
            style=style,
            code_style=code_style,
        )
    cards = [_card(lesson, notebooks[lesson.name]) for lesson in project.lessons if lesson.name in notebooks]
    footer = _machine(notebooks[cards[0]["lesson"].name]) if cards else ""
    index = pages.get_template("index.html.j2").render(cards=cards, style=style, footer=footer)
    write_all(texts | {folder / "index.html": index})
    return folder / "index.html"


def _card(lesson: Lesson, notebook: NotebookNode) -> dict:
    """What the contents page shows of a lesson."""
    picture, alt = _thumbnail(notebook)
    kept = notebook.metadata.course
    pills = [*kept.pills, {"kind": "", "text": f"{kept.profile} profile"}]
    return {
        "lesson": lesson,
        "picture": picture,
        "alt": alt,
        "question": _question(notebook),
        "pills": pills,
    }


class _MathRenderer(IPythonRenderer):
    """Writes formulas as MathML, which browsers draw without a script; what it cannot read stays text."""

    def block_math(self, body: str) -> str:
        return f"<p>{_mathml(body, 'block')}</p>"

    multiline_math = block_math

    def inline_math(self, body: str) -> str:
        return _mathml(body, "inline")

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")


def _mathml(tex: str, display: str) -> str:
    try:
        return to_mathml(unescape(tex.strip()), display=display)
    except Exception:  # latex2mathml raises many kinds; the reader still gets the formula's text
        return f"<code>{escape(tex)}</code>"


class _Exporter(HTMLExporter):
    @pass_context
    def markdown2html(self, context, source):
        """nbconvert's filter of this name, with our renderer, and with links between the pages."""
        html = MarkdownWithMath(renderer=_MathRenderer(escape=False)).render(source)
        return re.sub(r'href="(\d\d_\w+)\.ipynb', r'href="\1.html', html)


def _body(notebook: NotebookNode) -> str:
    """The cells as HTML; the long set-up cell is shown as what it does."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if "setup" in cell.metadata.get("course", {}):
            cell.source = "import course_lib\n\ncourse_lib.start()"
    body, _ = _Exporter(template_name="basic").from_notebook_node(notebook)
    return body


def _headings(body: str) -> list[tuple[str, str]]:
    """Ids and texts of the second-level headings."""
    found = re.findall(r'<h2[^>]*id="([^"]+)"[^>]*>(.*?)</h2>', body, flags=re.DOTALL)
    return [
        (key, Markup(re.sub(r"<a class=\"anchor-link\".*?</a>|<[^>]+>", "", text).strip()))
        for key, text in found
    ]


def _thumbnail(notebook: NotebookNode) -> tuple[str | None, str]:
    """The lesson's richest picture (the largest file) as a data address, with its alternative text."""
    pictures = [
        (output.data["image/png"], picture_alt(output))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    if not pictures:
        return None, ""
    data, alt = max(pictures, key=lambda picture: len(picture[0]))
    return f"data:image/png;base64,{base64.b64encode(base64.b64decode(data)).decode()}", alt


def _machine(notebook: NotebookNode) -> str:
    """What the set-up cell said of the machine that ran the lesson."""
    for cell in notebook.cells:
        if "setup" in cell.metadata.get("course", {}):
            text = "".join(output.get("text", "") for output in cell.outputs)
            return " · ".join(text.strip().splitlines())
    return ""


def _question(notebook: NotebookNode) -> str:
    """The lesson's question: the first paragraph below the title that asks one, else the first."""
    parts = [" ".join(p.split()) for p in notebook.cells[0].source.split("\n\n")[1:]]
    plain = [re.sub(r"[*_`$]|\[([^\]]*)\]\([^)]*\)", r"\1", p) for p in parts if not p.startswith("Reading")]
    text = next((p for p in plain if "?" in p), plain[0] if plain else "")
    return text if len(text) <= 260 else text[:260].rsplit(" ", 1)[0] + " …"


def _pills(result: Result) -> list[dict]:
    inside, (reached, maximum) = sum(r["inside"] for r in result.findings.values()), points(result)
    kind = {True: "good", False: "bad"}
    return [
        {
            "kind": kind[inside == len(result.findings)],
            "text": f"{inside} of {len(result.findings)} findings in band",
        },
        {"kind": kind[reached == maximum], "text": f"{reached:g} of {maximum:g} points"},
        {"kind": "" if result.error is None else "bad", "text": f"ran in {result.seconds:.0f} s"},
    ]
