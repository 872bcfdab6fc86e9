"""Looks for what an honest answer has no use for, in its text. A report for the teacher, not a proof."""

import ast

from . import code

MODULES = {
    "ctypes", "gc", "inspect", "linecache", "builtins", "importlib", "subprocess", "socket", "threading",
    "_thread", "multiprocessing", "signal", "traceback", "marshal", "atexit", "unittest", "dis", "types",
    "_signal", "_socket", "_ctypes", "_posixsubprocess", "posix", "asyncio", "tornado", "zmq", "select",
    "mmap", "runpy", "code", "codeop", "pdb", "bdb", "trace", "cProfile", "profile", "pty", "IPython",
    "ipykernel", "nbgrader", "weakref", "pickle", "concurrent", "faulthandler", "tracemalloc", "course_tools",
}  # fmt: skip
GUARD = {"audit", "guard", "kept", "kernel", "link", "server"}  # nothing to import, but a student's own file
WORDS = {
    "_getframe", "_current_frames", "currentframe", "getframeinfo", "getsource", "f_back", "f_globals",
    "f_locals", "f_code", "f_builtins", "tb_frame", "tb_next", "gi_frame", "cr_frame", "__traceback__",
    "__globals__", "__code__", "__closure__", "__builtins__", "__subclasses__", "__mro__", "__bases__",
    "__loader__", "__spec__", "settrace", "setprofile", "addaudithook", "get_ipython", "__course_check__",
    "_ih", "_oh", "excepthook", "displayhook", "COURSE_CHECK", "COURSE_CHECK_LOG", "CheckFailed", "modules",
    "_RAISE", "gradebook", "_exit", "walk_stack", "_checks", "breakpoint",
}  # fmt: skip
CALLS = {
    "exec", "eval", "compile", "__import__", "globals", "vars", "delattr", "setattr", "open", "input",
    "exit", "quit",
}  # fmt: skip
HARMLESS_CALLS = {"open", "input", "exit", "quit", "vars"}  # they fail, or tell no more than a fault
CLASS_METHODS = {
    "__init__", "__call__", "__repr__", "__str__", "__len__", "__iter__", "__next__", "__getitem__",
    "__setitem__", "__enter__", "__exit__", "__post_init__", "__init_subclass__", "__add__", "__radd__",
    "__mul__", "__rmul__", "__sub__", "__matmul__", "__contains__", "__name__", "__doc__", "__class__",
    "__all__", "__version__", "__main__", "__file__", "__version_info__", "__path__",
    "__qualname__", "__module__",
}  # fmt: skip


def reasons(
    answer: str,
    stub: str,
    imported: frozenset[str],
    protected: frozenset[str],
    own: frozenset[str] = frozenset(),
) -> list[str]:
    """What in an answer a teacher should look at, in the words of the report; names in the stub are allowed.

    Args:
        answer: the student's cell.
        stub: what was handed out.
        imported: names of modules and functions that the lesson imports.
        protected: names that the check uses.
        own: names of the student's own modules, which may be called like one of the guard's.
    """
    tree, allowed = _tree(answer), _words(_tree(stub))
    if tree is None:  # what is no Python does not run; but special lines may
        return ["cannot be read for the report"] if code.too_special(answer) else []
    modules, noted = imported | _imported(tree), MODULES | GUARD - own
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        for reason in _of(node, modules, noted):
            found[reason] = None
    for name in sorted((code.names(answer)[0] - _imported(tree)) & protected):
        found[f"gives {name}, which the check uses, another meaning"] = None
    for word in sorted(_words(tree) - allowed):
        if word in WORDS or word.startswith("__") and word.endswith("__") and word not in CLASS_METHODS:
            found[f"uses {word}"] = None
    return list(found)


def _of(node: ast.AST, modules: frozenset[str], noted: set[str]):
    if isinstance(node, ast.Import):
        yield from (f"imports {a.name}" for a in node.names if a.name.split(".")[0] in noted)
    elif isinstance(node, ast.ImportFrom):
        module = node.module or ""
        if not node.level and module.split(".")[0] in noted or module == "course_lib.checks":
            yield f"imports from {module}"
        yield from (f"imports {a.name}" for a in node.names if module == "course_lib" and a.name == "checks")
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in CALLS - HARMLESS_CALLS:
            yield f"calls {node.func.id}"
        elif node.func.id in ("vars", "locals", "dir") and not node.args:
            yield f"calls {node.func.id} for all names"
        elif node.func.id == "getattr" and len(node.args) > 1 and _put_together(node.args[1]):
            yield "puts a name together for getattr"
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
        root = node.value
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and root.id in modules:
            yield f"replaces a part of {root.id}"


def _put_together(node: ast.AST) -> bool:
    """Whether an expression makes a text out of parts; a variable or a constant is honest."""
    return isinstance(node, ast.BinOp | ast.JoinedStr | ast.Call | ast.Subscript)


def _tree(source: str) -> ast.Module | None:
    try:
        return ast.parse(code.python(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _words(tree: ast.Module | None) -> set[str]:
    """Names, attributes, defined methods, and texts that look like a name."""
    words: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Name):
            words.add(node.id)
        elif isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            words.add(node.name)
        elif isinstance(node, ast.alias):
            words.update(node.name.split("."))
        elif isinstance(node, ast.MatchClass):
            words.update(node.kwd_attrs)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            words.add(node.value)
    return words


def _imported(tree: ast.Module) -> frozenset[str]:
    """Names that the answer itself imports."""
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
    return frozenset((a.asname or a.name).split(".")[0] for node in nodes for a in node.names)
