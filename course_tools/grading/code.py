"""What can be known of Python code without running it."""

import ast
import builtins
import functools
import io
import re
import tokenize

from IPython.core.inputtransformer2 import TransformerManager

from ..source import global_names

MOST_SPECIAL, MOST_LENGTH = 30, 50_000  # IPython takes 9 s for 1,000 lines of "x = %y", 0.2 s for 100
SPECIAL = re.compile(r"^[ \t\f]*[%!?,;/]|=[ \t\f]*[%!]|\?[ \t\f]*$", re.MULTILINE)
BUILTINS = frozenset(dir(builtins)) | {"get_ipython", "display", "__file__", "__name__"}


class _TooSpecial(Exception):
    pass


class _Brief(TransformerManager):
    """IPython's own, which reads the whole cell again for each special line: for a few of them only."""

    def do_token_transforms(self, lines: list[str]) -> list[str]:
        for _ in range(MOST_SPECIAL + 1):
            changed, lines = self.do_one_token_transform(lines)
            if not changed:
                return lines
        raise _TooSpecial


@functools.lru_cache(maxsize=20_000)
def _rewritten(source: str) -> str | None:
    """The cell as plain Python; None where that would take too long."""
    try:
        ast.parse(source)
        return source
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    if len(source) > MOST_LENGTH or len(SPECIAL.findall(source)) > MOST_SPECIAL:
        return None
    try:
        return _Brief().transform_cell(source)
    except _TooSpecial:
        return None
    except Exception:
        return source


def python(source: str) -> str:
    """The cell as plain Python: magics and shell commands become calls, as IPython makes them."""
    text = _rewritten(source)
    return source if text is None else text


def text(content: bytes) -> str:
    """A Python file's text in the encoding that its first lines name, as Python reads it.

    >>> text("# coding: latin-1\\nname = 'Zoë'".encode("latin-1"))
    "# coding: latin-1\\nname = 'Zoë'"
    """
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(content).readline)[0]
        return content.decode(encoding, "replace")
    except (SyntaxError, LookupError):  # Python does not read it either
        return content.decode("utf-8", "replace")


def too_special(source: str) -> bool:
    """Whether a cell is no Python, and too long or with too many special lines to be rewritten."""
    return _rewritten(source) is None


@functools.lru_cache(maxsize=20_000)
def names(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """Global names that a cell binds, and those that it uses; none when it is no Python."""
    try:
        bound, used = global_names(python(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset(), frozenset()
    return frozenset(bound), frozenset(used)


def fingerprint(source: str) -> tuple[str, int]:
    """An answer without comments, layout and docstrings, and its number of parts; ("", 0) if not Python."""
    try:
        tree = ast.parse(python(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "", 0
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list) or len(body) < 2 or not isinstance(body[0], ast.Expr):
            continue
        if isinstance(body[0].value, ast.Constant):
            del body[0]
    try:
        return ast.dump(tree), sum(1 for _ in ast.walk(tree))
    except RecursionError:
        return "", 0
