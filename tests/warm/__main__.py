"""`python -m tests.warm SOCKET` imports the program and answers callers until it is killed."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
import threading
from typing import NoReturn

import syncd
from syncd.cli import main

CHUNK = 1 << 20


def _import(name: str) -> None:
    """Import a module of ours, unless it needs an extra that is not installed."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "syncd":
            raise


def serve(path: str) -> NoReturn:
    """Run what each caller wants, in a copy of this process."""
    for module in pkgutil.walk_packages(syncd.__path__, "syncd."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            _import(module.name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            caller, _ = listening.accept()
            with caller:
                if os.fork() == 0:
                    listening.close()
                    attend(caller)


def attend(caller: socket.socket) -> NoReturn:
    """Run what one caller wants in one more copy, and tell him how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, files, _, _ = socket.recv_fds(caller, 4, 3)
    asked = b""
    while len(asked) < int.from_bytes(head, "big"):
        asked += caller.recv(CHUNK)
    running = os.fork()
    if running == 0:
        caller.close()
        words, folder, environment = json.loads(asked)
        become(words, folder, environment, files)
    for file in files:
        os.close(file)
    threading.Thread(target=pass_on, args=(caller, running), daemon=True).start()
    _, status = os.waitpid(running, 0)
    with contextlib.suppress(BrokenPipeError):
        caller.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
    os._exit(0)


def pass_on(caller: socket.socket, running: int) -> None:
    """Pass on the signals that a caller gets; if he is gone, so is his command."""
    while got := caller.recv(1):
        os.kill(running, got[0])
    os.kill(running, signal.SIGKILL)


def become(
    words: list[str], folder: str, environment: dict[str, str], files: list[int]
) -> NoReturn:
    """Turn into the command, and leave with its exit code."""
    code = os.EX_SOFTWARE
    try:
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["syncd", *words]
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", closefd=False)
        main()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


serve(sys.argv[1])
