"""
The daemon's own web server: health, metrics, read-only API, console.

`board` says what it is told of the daemon, `server` owns socket and thread, `app` puts the
pages (`pages`) and the API (`api`) behind one guard (`guard`). Whatever changes state passes
`auth`. What is shown comes from `documents`, the same facts that the commands print.
"""

from syncd.service.admin.board import Board, Check, EnvironmentState
from syncd.service.admin.server import Server, serve

__all__ = ["Board", "Check", "EnvironmentState", "Server", "serve"]
