"""What can be known of Python code without running it."""

import ast
import builtins
import functools
import symtable

from IPython.core.inputtransformer2 import TransformerManager

BUILTINS = frozenset(dir(builtins)) | {"get_ipython", "display", "__file__", "__name__"}


@functools.lru_cache(maxsize=20_000)
def python(source: str) -> str:
    """The cell as plain Python: magics and shell commands become calls, as IPython makes them."""
    try:
        ast.parse(source)
        return source
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    try:
        return TransformerManager().transform_cell(source)
    except Exception:
        return source


@functools.lru_cache(maxsize=20_000)
def names(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """Global names that a cell binds, and those that it uses; none when it is no Python."""
    bound: set[str] = set()
    used: set[str] = set()

    def visit(table: symtable.SymbolTable) -> None:
        for symbol in table.get_symbols():
            if table.get_type() == "module":
                if symbol.is_assigned() or symbol.is_imported():
                    bound.add(symbol.get_name())
                if symbol.is_referenced():
                    used.add(symbol.get_name())
            elif symbol.is_global():
                if symbol.is_referenced():
                    used.add(symbol.get_name())
                if symbol.is_assigned():
                    bound.add(symbol.get_name())
        for child in table.get_children():
            visit(child)

    try:
        visit(symtable.symtable(python(source), "cell", "exec"))
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
