"""`python call.py SOCKET WORDS…` is `syncd WORDS…`, run by the process that listens there."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path


def call(path: str, words: list[str]) -> int:
    """Have a command run, and return its exit code; negative is the signal that ended it."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda got, _: server.sendall(bytes([got])))
        asked = json.dumps([words, str(Path.cwd()), dict(os.environ)]).encode()
        socket.send_fds(server, [len(asked).to_bytes(4, "big")], [0, 1, 2])
        server.sendall(asked)
        answer = server.recv(4)
    return int.from_bytes(answer, "big", signed=True) if answer else os.EX_SOFTWARE


ended = call(sys.argv[1], sys.argv[2:])
if ended < 0:
    signal.signal(-ended, signal.SIG_DFL)
    os.kill(os.getpid(), -ended)
sys.exit(ended)
