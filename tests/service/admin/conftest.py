"""One company, reconciled once, and its web server, for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from syncd.service.admin import Server
from tests.service.admin.house import FakeBoard, boards, client, served, settings


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeBoard]:
    """Give a board over what one run has left."""
    with boards(tmp_path_factory.mktemp("office")) as found:
        yield found


@pytest.fixture(scope="module")
def server(board: FakeBoard) -> Iterator[Server]:
    """Give a server that lets nobody change anything, as it is unless told."""
    with served(board, settings()) as found:
        yield found


@pytest.fixture
def web(server: Server) -> Iterator[httpx.Client]:
    """Give a client of the server."""
    with client(server) as found:
        yield found
