"""Kernels: what students' code can see and reach in the sandbox, and what ends it in either case."""

import contextlib
import io
import os
import sys
import zipfile
from pathlib import Path

import pytest
import zmq

from course_tools.grading import sandbox
from course_tools.grading.kernels import Dead
from course_tools.grading.limits import Limits
from course_tools.grading.servers import Server

ROOT = Path(__file__).resolve().parents[2]
MODES = ["open"] if sandbox.works() else ["sandbox", "open"]
IMPORTS = {"a": "import numpy as np\nfrom course_lib.checks import check"}
LIMITS = Limits(cell_seconds=10, memory=1.5e9, processes=20, output=1e5, file=1e6)
CHECK = "with check('f') as c:\n    c.equal(f(2), 4, hint='Double it.')\n\nassert f(3) == 6"


@pytest.fixture(scope="module", params=MODES)
def server(request):
    made = Server(IMPORTS, LIMITS, closed=request.param == "sandbox")
    yield made
    made.close()


def said(server: Server, source: str) -> str:
    kernel = server.kernel("a")
    try:
        return "".join(output.get("text", output.get("ename", "")) for output in kernel.run(source).outputs)
    finally:
        kernel.close()


def checked(server: Server, source: str, files: dict[str, bytes] | None = None) -> tuple[dict, list[str]]:
    task = {"name": "f", "source": CHECK, "hidden": [[3, 4]], "names": ["f"]}
    kernel = server.kernel("a", files)
    try:
        kernel.run(source)
        return kernel.run("", check=task).verdict, kernel.acts
    finally:
        kernel.close()


def test_what_is_visible_and_writable(server):
    places = [
        ROOT / "solutions",
        ROOT / "tests",
        ROOT / "course_tools/cli.py",
        Path(__file__),
        Path.home() / ".ssh",
    ]
    hidden = [str(place) for place in places if place.exists()]
    open_to = said(server, f"import os\nprint([p for p in {hidden!r} if os.path.exists(p)])")
    writable = said(
        server,
        "import os, sys, course_lib\n"
        "places = [course_lib.__file__, sys.prefix, '/usr', '/etc', '/', '/tmp', '/dev/shm']\n"
        "print([p for p in places if os.access(p, os.W_OK)], os.access('.', os.W_OK))",
    )
    network = said(server, "import socket\nprint([name for _, name in socket.if_nameindex()])")
    if server.closed:
        assert (open_to, writable, network) == ("[]\n", "[] True\n", "['lo']\n")
    else:
        assert open_to == f"{hidden}\n" and writable.endswith(" True\n")


def test_no_capability_is_left_and_the_server_cannot_be_read(server):
    if sys.platform == "linux":
        denied = said(server, "import os\nopen(f'/proc/{os.getppid()}/mem', 'rb').read(1)")
        power = said(server, "print(open('/proc/self/status').read())").split("CapEff:")[1].split()[0]
        if server.closed:
            assert int(power, 16) == 0
        if server.closed or os.getuid():  # root may read everything
            assert denied == "PermissionError"


def test_each_kernel_starts_anew(server):
    said(server, "x = 1\nopen('left.txt', 'w').write('x')\nimport numpy\nnumpy.array = None")
    assert said(server, "import os, numpy\nprint('x' in globals(), os.listdir('.'), numpy.array([1]))") == (
        "False [] [1]\n"
    )


@pytest.mark.parametrize(("source", "reason"), [
    ("while True: pass", "more than 10 s"),
    ("import numpy\nkept = [numpy.ones(10**7) for _ in range(1000)]", "GB of memory"),
    ("import subprocess\nfor _ in range(30): subprocess.Popen(['sleep', '99'])\nwhile 1: pass", "processes"),
    ("import os\nos.system('for i in $(seq 60); do sleep 99 & done; wait')", "processes"),
    ("print('x' * 10**6)", "printed more than"),
    ("while True: print('x' * 1000)", "printed more than|ran for more than"),  # too much at once is dropped
    ("import os\nos.kill(os.getpid(), 9)", "ended the kernel"),
])  # fmt: skip
def test_what_ends_a_kernel(server, source, reason):
    kernel = server.kernel("a")
    try:
        with pytest.raises(Dead, match=reason):
            kernel.run(source)
    finally:
        kernel.close()
    assert said(server, "print('again')") == "again\n"


class Promises:
    """A socket that says it has a message and has none, as may be when its other side was killed."""

    def __init__(self, real):
        self.send_multipart = real.send_multipart

    def poll(self, timeout=None):
        return zmq.POLLIN

    def recv_multipart(self, flags=0):
        assert flags & zmq.NOBLOCK, "this would wait for ever"
        raise zmq.Again


@pytest.mark.parametrize("name", ["_shell", "_iopub"])
def test_a_message_that_never_comes_is_not_waited_for(server, name):
    kernel = server.kernel("a")
    setattr(kernel, name, Promises(getattr(kernel, name)))
    try:
        with pytest.raises(Dead, match="ended the kernel"):
            kernel.run("import os\nos.kill(os.getpid(), 9)")
    finally:
        kernel.close()
    assert said(server, "print('again')") == "again\n"


def test_a_server_that_was_killed_is_started_again(server):
    old = server.pid
    if server.closed:
        with contextlib.suppress(Dead):  # whether the kernel sees the end of its cell is a race
            said(server, "import os\nos.kill(-1, 9)")
    else:
        said(server, "print()")
        os.kill(old, 9)
    assert said(server, "print('again')") == "again\n"
    assert server.pid != old


@pytest.mark.parametrize(("answer", "state", "hint", "hidden"), [
    ("def f(x): return 2 * x", "passed", "", False),
    ("def f(x): return x + 1", "failed", "Double it.", False),
    ("def f(x): return 4", "failed", "", True),
    ("def f(x): raise NotImplementedError", "unanswered", "", False),
    ("def f(x): return g(x)", "failed", "g, which is not defined", False),
    ("def f(x):\n    if x == 3: raise ValueError('secret 3')\n    return 4", "failed", "ValueError", True),
    ("def f(x): raise SystemExit", "failed", "SystemExit", False),
])  # fmt: skip
def test_verdicts(server, answer, state, hint, hidden):
    verdict, acts = checked(server, answer)
    assert (verdict["state"], verdict["hidden"]) == (state, hidden)
    assert hint in verdict["hint"] and "secret" not in verdict["hint"] and not acts
    assert verdict["missing"] == ("g" if "g(x)" in answer else "")


def test_what_was_replaced_is_put_back_before_the_check(server):
    verdict, acts = checked(server, "import numpy.testing, builtins\nfrom course_lib import checks\n"
                            "numpy.testing.assert_equal = builtins.print = checks.Check.equal = None\n"
                            "check = None\ndef f(x): return 2 * x")  # fmt: skip
    assert verdict["state"] == "passed"
    assert {"replaces builtins.print", "replaces Check.equal", "replaces numpy.testing.assert_equal"} <= set(
        acts
    )


@pytest.mark.parametrize(("answer", "state", "act"), [
    ("import guard\ndef f(x): return 2 * x", "failed", ""),  # there is no such module
    ("import audit\ndef f(x): return 2 * x", "failed", ""),
    ("import course_lib, server\ndef f(x): return 2 * x", "failed", ""),
    ("import os\nread = os.read\ndef spy(fd, n):\n    return read(fd, n).replace(b'f(3) == 6', b'True')\n"
     "os.__dict__['read'] = spy\ndef f(x): return 4", "failed", "replaces os.read"),
    ("guard = __course_check__.__self__\nguard._judge = lambda task: {'state': 'passed'}\n"
     "def f(x): return 0", "failed", ""),
    ("from course_lib import checks\nchecks.Check.close.__kwdefaults__['atol'] = 1e9\n"
     "def f(x): return 2 * x", "passed", "replaces Check.close"),
    ("from course_lib import checks\nclass C(checks.CheckFailed): pass\nF = checks.CheckFailed\n"
     "F.__str__ = lambda self: 'passed'\ndef f(x): return 2 * x", "passed", "adds CheckFailed.__str__"),
    ("def f(x):\n    open('/proc/self/mem', 'rb').close()\n    return 2 * x", "passed",
     "opens '/proc/self/mem'"),
    ("import os\ndef f(x):\n    os.close(os.open(b'/etc/passwd', 0))\n    return 2 * x", "passed",
     "opens '/etc/passwd'"),
    ("import numpy as np\nYes = type('Yes', (), {'__eq__': lambda s, o: True})\n"
     "def f(x): return np.array(Yes(), dtype=object)", "passed", "returns a Yes"),
    ("M = type('M', (type,), {'__mro__': (int,)})\nYes = M('Yes', (), {'__eq__': lambda s, o: True})\n"
     "def f(x): return Yes()", "passed", "returns a Yes"),
])  # fmt: skip
def test_the_guard_cannot_be_reached_or_is_told_of_it(server, answer, state, act):
    verdict, acts = checked(server, answer)
    assert verdict["state"] == state
    assert any(act in text for text in acts) if act else not acts


def test_a_students_module_may_be_called_like_one_of_the_guards(server):
    files = {f"{name}.py": b"two = 2" for name in ("audit", "guard", "kept", "kernel", "link", "server")}
    answer = "import audit, guard, kept, kernel, link, server\nfrom kernel import two\n"
    verdict, acts = checked(server, answer + "def f(x): return two * link.two // server.two * x", files)
    assert verdict["state"] == "passed" and not acts
    assert verdict["hint"] == ""


PACKED = "imports compiled or packed code of its own"
EQUAL = b"class Yes:\n    def __eq__(self, other): return True\n"


@pytest.mark.parametrize("module", [
    EQUAL,
    b"import numpy\n__file__ = numpy.__file__\n" + EQUAL,
    b"import math\n" + EQUAL + b"Yes.__module__ = 'math'\nvars(math)['Yes'] = Yes\n",
])  # fmt: skip
def test_a_module_of_the_students_own_is_no_library(server, module):
    verdict, acts = checked(server, "import mine\ndef f(x): return mine.Yes()", {"mine.py": module})
    assert verdict["state"] == "passed"
    assert acts == ["returns a Yes that decides itself what it equals"]


def test_what_a_library_returns_is_not_reported(server):
    answer = "import keras, numpy, fractions, datetime\nvalues = [keras.ops.ones(2), keras.Variable(1.0), "
    answer += "numpy.float32(1), numpy.ma.ones(2), fractions.Fraction(1), datetime.timedelta(1)]\n"
    verdict, acts = checked(server, answer + "def f(x): return values")
    assert verdict["state"] == "failed" and not acts


def test_compiled_code_that_an_answer_makes_is_reported(server):
    answer = "open('hidden.py', 'w').write('def f(x): return 2 * x')\nimport py_compile\n"
    answer += "py_compile.compile('hidden.py', 'made.pyc')\nfrom made import f"
    verdict, acts = checked(server, answer)
    assert verdict["state"] == "passed" and PACKED in acts


def test_importing_from_a_zip_file_under_another_name_is_reported(server):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        target.writestr("inner.py", "def f(x): return 2 * x")
    files = {"data.npz": made.getvalue(), "plain.py": b"def f(x): return 2 * x"}
    verdict, acts = checked(server, "import sys\nsys.path.append('data.npz')\nfrom inner import f", files)
    assert verdict["state"] == "passed" and acts == [PACKED]
    assert checked(server, "from plain import f", files)[1] == []


def test_the_kind_of_an_error_tells_no_hidden_value(server):
    answer = "def f(x):\n    if x == 3: raise type(f'secret {x}', (Exception,), {})\n    return 4"
    verdict, _ = checked(server, answer)
    assert verdict["hidden"] and "secret" not in verdict["hint"]
