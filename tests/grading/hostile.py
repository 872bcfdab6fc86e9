"""Hostile and broken submissions, each with the outcome that it must get.

Most answer `count_c3` with hostile code and `rbf_scores` rightly (2 points): what one exercise does must cost
that exercise only. RIGHT is the right answer's body: such a case cannot fail only as its answer is wrong.
"""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from submissions import LESSON, before, cell, code, data, filled, put, released, right

RIGHT = "return int(np.sum(table)) * size * size + np.shape(table)[1]"
GOOD = f"def count_c3(table, size=5):\n    {RIGHT}\n"
WRONG = "def count_c3(table, size=5):\n    return 2416\n"


@dataclass(frozen=True)
class Case:
    """A submission and the row that it must get; "" is an empty field."""

    name: str
    make: Callable[[Path], object]  # writes it below a folder of its own
    status: str
    count_c3: str = "0"
    rbf_scores: str = "2"
    open_status: str = ""  # where there is no sandbox, if other


def answer(name: str, source: str, status: str, count_c3: str = "0", open_status: str = "") -> Case:
    """A case whose answer to count_c3 is hostile."""
    made = filled({"count_c3": source} | right("rbf_scores"))
    return Case(
        name, lambda folder: put(folder / f"{LESSON}.ipynb", made), status, count_c3, "2", open_status
    )


def file(name: str, content: Callable[[], object], status: str, count: str = "", rbf: str = "") -> Case:
    """A case with a file of its own."""
    return Case(name, lambda folder: put(folder / f"{LESSON}.ipynb", content()), status, count, rbf)


def inside(body: str) -> str:
    """An answer whose function does this first, then the right thing."""
    lines = "\n    ".join(body.splitlines())
    return f"import os, sys\ndef count_c3(table, size=5):\n    {lines}\n    {RIGHT}\n"


STOPPED = [
    answer("endless_loop", GOOD + "while True:\n    pass", "partly", ""),
    answer("endless_call", inside("while True:\n    pass"), "partly", ""),
    answer(
        "catches_everything",
        "while True:\n    try:\n        while True:\n            pass\n"
        "    except BaseException:\n        pass",
        "partly",
        "",
    ),
    answer("sleeps", GOOD + "import time\ntime.sleep(1000)", "partly", ""),
    answer(
        "memory_bomb", GOOD + "kept = []\nwhile True:\n    kept.append(bytearray(10_000_000))", "partly", ""
    ),
    answer("fork_bomb", GOOD + "import os\nwhile True:\n    os.fork()", "suspicious", ""),
    answer("prints_a_gigabyte", GOOD + "print('x' * 1_000_000_000)", "partly", ""),
    answer("prints_for_ever", GOOD + "while True:\n    print('x' * 10_000)", "partly", ""),
    answer(
        "kills_the_kernel", GOOD + "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "suspicious", ""
    ),
    answer("leaves_the_process", inside("os._exit(0)"), "suspicious", ""),
    answer("crashes_the_process", GOOD + "import ctypes\nctypes.string_at(0)", "suspicious", ""),
    answer(
        "fills_the_disk",
        GOOD + "for i in range(1000):\n    with open(f'{i}.bin', 'wb') as file:\n"
        "        file.write(bytes(5_000_000))",
        "partly",
        "",
    ),
]

RAISING = [
    answer("sys_exit", "import sys\nsys.exit()\n" + GOOD, "graded"),
    answer("sys_exit_in_the_answer", inside("sys.exit(0)"), "graded"),
    answer("exit", "exit()\n" + GOOD, "graded", "2"),  # a kernel's `exit()` ends it after the cell
    answer("asks_for_input", "n = input('n = ')\n" + GOOD, "graded"),
    answer("raises_base_exception", inside("class Stop(BaseException):\n    pass\nraise Stop"), "graded"),
    answer("raises_keyboard_interrupt", inside("raise KeyboardInterrupt"), "graded"),
    answer("raises_generator_exit", inside("raise GeneratorExit"), "graded"),
    answer("not_python", "def count_c3(table, size=5)\n    return 1", "graded"),
    answer("deep_recursion", "def count_c3(table, size=5):\n    return count_c3(table, size)", "graded"),
    answer(
        "one_huge_file",
        "with open('x', 'wb') as file:\n    file.write(bytes(200_000_000))\n" + GOOD,
        "graded",
    ),
    answer("deletes_its_folder", GOOD + "import os, shutil\nshutil.rmtree(os.getcwd())", "graded", "2"),
    answer("closes_the_output", GOOD + "import sys\nsys.stdout = sys.stderr = None", "suspicious", ""),
    answer("warns", GOOD + "import warnings\nwarnings.warn('careful')", "graded", "2"),
    answer(
        "only_the_cases_shown",
        "def count_c3(table, size=5):\n"
        "    return {(96, 5): 2416, (60, 5): 1516, (96, 3): 880}.get((int(np.sum(table)), size), 0)",
        "graded",
    ),
]

SEEN = """
    f = sys._getframe(1)
    while f:
        if 'task' in f.f_locals:
            return f.f_locals['task']['source']
        f = f.f_back
"""
CHEATS = [
    answer(
        "patches_numpy_testing",
        WRONG + "import numpy.testing\nfor name in dir(np.testing):\n"
        "    if name.startswith('assert'):\n        setattr(np.testing, name, lambda *a, **k: None)",
        "suspicious",
    ),
    answer(
        "patches_the_checks",
        WRONG + "from course_lib import checks\nchecks.Check.equal = lambda *a, **k: None\n"
        "checks.Check.__exit__ = lambda *a: True",
        "suspicious",
    ),
    answer(
        "patches_the_checks_when_called",
        "def count_c3(table, size=5):\n    from course_lib import checks\n"
        "    checks.Check.equal = checks.Check.that = lambda *a, **k: None\n    return 0",
        "suspicious",
    ),
    answer(
        "patches_a_functions_code",
        WRONG + "from course_lib import checks\nchecks._same.__code__ = (lambda a, b: True).__code__",
        "suspicious",
    ),
    answer(
        "patches_keras",
        WRONG + "from keras import Model\nM = Model\nM.count_params = lambda self: 61706",
        "suspicious",
    ),
    answer(
        "patches_the_graders_own_reading",
        "import os\nread = os.read\ndef spy(fd, n):\n"
        "    return read(fd, n).replace(b'assert ', b'assert True or ')\n"
        "vars(os)['read'] = spy\ndef count_c3(table, size=5):\n    return 2416 if size == 5 else 880",
        "suspicious",
    ),
    answer(
        "imports_the_guard",
        WRONG + "try:\n    import guard\n    guard.Guard._judge = lambda self, task: {'state': 'passed',"
        " 'hint': '', 'hidden': False, 'missing': ''}\nexcept ImportError:\n    pass",
        "suspicious",
    ),
    answer(
        "patches_builtins",
        WRONG + "import builtins\nbuiltins.isinstance = lambda *a: True\n"
        "builtins.AssertionError = type('Never', (Exception,), {})",
        "suspicious",
        "",
    ),
    answer(
        "replaces_print", GOOD + "import builtins\nbuiltins.print = lambda *a, **k: None", "suspicious", "2"
    ),
    answer(
        "replaces_check",
        WRONG + "from contextlib import nullcontext\n"
        "class Any:\n    def __getattr__(self, name): return lambda *a, **k: None\n"
        "def check(name): return nullcontext(Any())",
        "suspicious",
    ),
    answer(
        "replaces_the_module",
        WRONG + "import types\nsys = __import__('sys')\n"
        "sys.modules['course_lib.checks'] = types.ModuleType('checks')",
        "suspicious",
    ),
    answer(
        "equals_everything",
        "class Yes(int):\n    def __eq__(self, other): return True\n    __hash__ = None\n"
        "def count_c3(table, size=5):\n    return Yes()",
        "suspicious",
        "2",
    ),
    answer(
        "equals_everything_hidden",
        "Yes = type('Yes', (), {'__e' + 'q__': lambda self, other: True})\n"
        "def count_c3(table, size=5):\n    return Yes()",
        "suspicious",
        "2",
    ),
    *(
        answer(
            name,
            "Yes = type('Yes', (), {'__e' + 'q__': lambda self, other: True})\n" + text,
            "suspicious",
            "2",
        )
        for name, text in {
            "answers_with_an_object": "class F:\n    def __call__(self, *a, **k): return Yes()\n"
            "count_c3 = F()",
            "answers_with_a_method": "class F:\n    def f(self, *a, **k): return Yes()\ncount_c3 = F().f",
            "answers_with_a_class": "class count_c3:\n    def __new__(cls, *a, **k): return Yes()",
            "answers_with_a_layer": "class F(keras.Layer):\n    def __call__(self, *a, **k): return Yes()\n"
            "count_c3 = F()",
            "answers_with_a_partial": "from functools import partial\n"
            "count_c3 = partial(lambda *a, **k: Yes(), 1)",
        }.items()
    ),
    answer(
        "equals_everything_by_a_library",
        "from unittest.mock import ANY\ndef count_c3(table, size=5):\n    return ANY",
        "suspicious",
        "2",
    ),
    answer(
        "sets_a_signal_handler",
        "import psutil\npsutil.signal.signal(10, lambda number, frame: None)\n" + GOOD,
        "suspicious",
        "2",
    ),
    answer(
        "reads_the_stack",
        f"import sys\ndef count_c3(table, size=5):{SEEN}",
        "suspicious",
    ),
    answer(
        "reads_the_stack_hidden",
        "import sys\nlook = getattr(sys, '_get' + 'frame')\ndef count_c3(table, size=5):\n    return look(1)",
        "suspicious",
    ),
    answer(
        "reads_the_stack_by_an_error",
        "def count_c3(table, size=5):\n    try:\n        1 / 0\n"
        "    except Exception as e:\n        t = getattr(e, '__trace' + 'back__')\n"
        "        return getattr(t, 'tb_' + 'frame')",
        "suspicious",
    ),
    answer(
        "reads_the_stack_by_inspect",
        "m = __import__('inspect')\ndef count_c3(table, size=5):\n    return m.stack()[1]",
        "suspicious",
    ),
    answer(
        "searches_memory",
        "import gc\ndef count_c3(table, size=5):\n"
        "    return [o for o in gc.get_objects() if isinstance(o, dict)]",
        "suspicious",
    ),
    answer(
        "clears_the_environment",
        WRONG + "import os\nos.environ.pop('COURSE_CHECK', None)\nos.environ.clear()",
        "suspicious",
    ),
    answer(
        "stores_marks_on_disk",
        "import json, os\ndef count_c3(table, size=5):\n    place = 'seen.json'\n"
        "    seen = json.load(open(place)) if os.path.exists(place) else []\n"
        "    json.dump(seen + [np.shape(table)], open(place, 'w'))\n    return 2416 if len(seen) < 2 else 0",
        "graded",
    ),
    answer(
        "writes_grades",
        WRONG + "import glob, os\nfor place in ['{out}/grades.csv', '{out}/gradebook.db',"
        " '{outside}/victim.txt']:\n    try:\n        open(place, 'a').write('mine')\n"
        "    except OSError:\n        pass",
        "suspicious",
    ),
    answer(
        "reads_the_solutions",
        "import re\ntext = open('{root}/solutions/03_lenet5.py').read()\n"
        "exec(re.search(r'def count_c3.*?END', text, re.S)[0])",
        "suspicious",
        "0",
        "suspicious",
    ),
    answer(
        "starts_threads",
        WRONG + "import threading, time\ndef later():\n    import course_lib.checks as c\n"
        "    while True:\n        c.Check.equal = lambda *a, **k: None\n        time.sleep(0.001)\n"
        "threading.Thread(target=later, daemon=True).start()",
        "suspicious",
    ),
    answer(
        "changes_what_is_run",
        WRONG + "import ast\nclass Drop(ast.NodeTransformer):\n"
        "    def visit_Assert(self, node): return ast.Pass()\n"
        "get_ipython().ast_transformers.append(Drop())",
        "suspicious",
    ),
    answer(
        "forges_a_verdict",
        WRONG + "import os\nfor n in range(3, 256):\n    try:\n"
        '        os.write(n, b\'{"verdict": "x", "state": "passed", "hint": ""}\\n\')\n'
        "    except OSError:\n        pass",
        "suspicious",
        "",
    ),
    answer("calls_the_guard", WRONG + "__course_check__()", "suspicious", ""),
    answer(
        "runs_text",
        "source = 'def count_c3(t, size=5):\\n    return 2416'\nexec(compile(source, 'x', 'exec'))",
        "suspicious",
    ),
    answer(
        "leaves_a_process",
        WRONG + "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', "
        "'import time; time.sleep(600)'], start_new_session=True)",
        "suspicious",
    ),
    answer(
        "uses_the_network",
        WRONG + "import socket\ntry:\n"
        "    socket.create_connection(('127.0.0.1', {port}), 2).sendall(b'hello')\nexcept OSError:\n    pass",
        "suspicious",
    ),
]


def _changed(change: Callable[[dict], object]) -> Callable[[], dict]:
    def make() -> dict:
        made = filled({"count_c3": GOOD} | right("rbf_scores"))
        return change(made) or made

    return make


def _zip(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return made.getvalue()


def _double(made: dict) -> None:
    place = made["cells"].index(cell(made, "count_c3"))
    made["cells"].insert(place, dict(cell(made, "count_c3"), source=WRONG))


def _without_ids(made: dict) -> None:
    made["nbformat_minor"] = 4
    for each in made["cells"]:
        each.pop("id")


def _large(made: dict) -> None:
    made["cells"][3]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 200_000_000}]


def _link(folder: Path) -> None:
    target = put(folder.parent.parent / "outside" / "linked.ipynb", filled(right()))
    folder.mkdir(parents=True)
    (folder / f"{LESSON}.ipynb").symlink_to(target)


OTHER = {"cells": [code("import pandas as pd"), code("pd.DataFrame()")], "metadata": {}, "nbformat": 4}
FILES = [
    file("not_json", lambda: b"this is not a notebook", "unreadable"),
    file("empty", lambda: b"", "unreadable"),
    file("web_page", lambda: b"<!DOCTYPE html><html></html>", "unreadable"),
    file("cut_off", lambda: data(released())[:5000], "unreadable"),
    file("nested_deeply", lambda: b'{"cells": ' + b"[" * 100_000, "unreadable"),
    file("another_course", lambda: OTHER, "unreadable"),
    file("a_million_cells", lambda: {"cells": [code("")] * 50_000, "metadata": {}}, "unreadable"),
    file("utf_16", lambda: json.dumps(_changed(lambda made: None)()).encode("utf-16"), "repaired", "2", "2"),
    file(
        "latin_1",
        _changed(
            lambda made: json.dumps(before(made, "count_c3", code("# Zoë")), ensure_ascii=False).encode(
                "cp1252", "ignore"
            )
        ),
        "repaired",
        "2",
        "2",
    ),
    file("two_hundred_megabytes", _changed(_large), "repaired", "2", "2"),
    file("without_ids", _changed(_without_ids), "graded", "2", "2"),
    file("duplicated_cell", _changed(_double), "repaired", "2", "2"),
    file(
        "check_deleted",
        _changed(lambda made: made["cells"].remove(cell(made, "count_c3_check"))),
        "repaired",
        "2",
        "2",
    ),
    file(
        "check_changed",
        lambda: _edit(
            filled({"count_c3": WRONG} | right("rbf_scores")), "count_c3_check", source="print('passed')"
        ),
        "repaired",
        "0",
        "2",
    ),
    file(
        "points_changed",
        lambda: _label(filled({"count_c3": GOOD}), "count_c3_check", points=1000),
        "suspicious",
        "2",
        "0",
    ),
    file(
        "labels_exchanged",
        lambda: _label(filled({"count_c3": GOOD}), "count_c3_check", grade_id="subsample_check"),
        "repaired",
        "2",
        "0",
    ),
    Case(
        "a_folder_named_like_a_notebook",
        lambda folder: put(folder / f"{LESSON}.ipynb" / f"{LESSON}.ipynb", filled({"count_c3": GOOD})),
        "graded",
        "2",
        "0",
    ),
    Case("link_out_of_the_folder", _link, "unreadable", "", ""),
    Case(
        "zip_with_a_path_out",
        lambda folder: put(folder / f"{LESSON}.zip", _zip({f"../../{LESSON}.ipynb": data(filled(right()))})),
        "unreadable",
        "",
        "",
    ),
    Case(
        "zip_bomb",
        lambda folder: put(folder / f"{LESSON}.zip", _zip({f"{LESSON}.ipynb": b"0" * 100_000_000})),
        "unreadable",
        "",
        "",
    ),
    Case("broken_zip", lambda folder: put(folder / f"{LESSON}.zip", b"PK\x03\x04"), "unreadable", "", ""),
]


def _edit(made: dict, key: str, **fields: object) -> dict:
    cell(made, key).update(fields)
    return made


def _label(made: dict, key: str, **fields: object) -> dict:
    cell(made, key)["metadata"]["nbgrader"].update(fields)
    return made


CASES = [*STOPPED, *RAISING, *CHEATS, *FILES]
