"""A forked process becomes a Jupyter kernel with a guard."""

import asyncio

from guard import Guard
from kept import Kept
from link import CHECK, Link


def run(connection: dict, link: Link, genuine: dict, remembered: Kept) -> None:
    """Starts the kernel on its unix sockets; returns when it is shut down."""
    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    config = Config()
    config.IPKernelApp.capture_fd_output = False
    config.IPKernelApp.parent_handle = 0
    config.HistoryManager.enabled = False
    config.Session.key = connection["key"].encode()
    config.IPKernelApp.transport = "ipc"
    config.IPKernelApp.ip = connection["ip"]
    for number, name in enumerate(("shell", "iopub", "stdin", "control", "hb"), start=1):
        setattr(config.IPKernelApp, f"{name}_port", number)
    asyncio.set_event_loop(asyncio.new_event_loop())
    application = IPKernelApp.instance(config=config, connection_file=connection["file"])
    application.initialize([])
    shell = application.shell
    shell.user_ns.update(genuine)
    for name in ("exit", "quit"):  # a cell that ends with it has done no harm
        shell.user_ns_hidden[name] = shell.user_ns[name] = lambda *_: None
    guard = Guard(shell, link, genuine, remembered)
    shell.user_ns_hidden[CHECK] = shell.user_ns[CHECK] = lambda: guard.check()  # has no `__self__`
    guard.watch()
    link.send({"ready": True})
    application.start()
