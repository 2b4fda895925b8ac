"""Whatever is sent to the port, the server answers with a sentence, or not at all, and stays up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from syncd.cli.errors import exit_code
from syncd.core.errors import ConfigError
from syncd.core.exits import ExitCode
from syncd.service.admin import Server, serve
from tests.service.admin.house import FakeBoard, client, served, settings

POST = (
    b"POST /api/v1/environments/contoso/run HTTP/1.1\r\nHost: localhost\r\n"
    b"Authorization: Bearer right\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
)
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@contextmanager
def _line(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as found:
        yield found


def _told(server: Server, request: bytes) -> bytes:
    """Send bytes as they are; return the answer's first line."""
    with _line(server) as line:
        line.sendall(request)
        return line.makefile("rb").readline().strip()


# --- the address --------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_one_sentence(board: FakeBoard, server: Server) -> None:
    """The configuration is at fault, so the program ends as for any wrong configuration."""
    second = serve(board, settings(listen=f"127.0.0.1:{server.port}"))

    with pytest.raises(ConfigError) as caught:
        second.start()

    (sentence,) = caught.value.problems
    assert sentence.startswith(f"admin.listen: 127.0.0.1:{server.port} cannot be listened on")
    assert "address already in use" in sentence
    assert exit_code(caught.value) == ExitCode.CONFIGURATION


@pytest.mark.parametrize("listen", ["192.0.2.1:0", "no-such-host.invalid:0"])
def test_an_address_of_another_machine_is_one_sentence(board: FakeBoard, listen: str) -> None:
    """So is a name that nobody knows."""
    with pytest.raises(ConfigError) as caught:
        serve(board, settings(listen=listen)).start()

    assert len(caught.value.problems) == 1
    assert listen in str(caught.value)


def test_the_port_is_free_again_when_the_server_has_stopped(board: FakeBoard) -> None:
    """A daemon that is started anew can have it at once."""
    with served(board, settings()) as first, client(first) as web:
        port = first.port
        web.get("/healthz").raise_for_status()

    with served(board, settings(listen=f"127.0.0.1:{port}")) as again, client(again) as web:
        assert web.get("/healthz").status_code == 200


def test_it_listens_on_the_new_protocol_of_the_internet(board: FakeBoard) -> None:
    """Where this machine has it."""
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    server = serve(board, settings(listen="[::1]:0"))
    try:
        server.start()
    except ConfigError:
        pytest.skip("this machine has no IPv6")
    try:
        answer = httpx.get(f"http://[::1]:{server.port}/healthz", trust_env=False)
    finally:
        server.stop()

    assert answer.status_code == 200


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8090", "localhost.evil.example", "127.0.0.1.evil.example",
        "", "localhost@evil.example", "[::2]", "[", "10.0.0.1", "localhost/",
    ],
)  # fmt: skip
def test_a_name_that_is_not_ours_is_not_answered(server: Server, host: str) -> None:
    """Else a page of the world could have a browser on this machine read for it."""
    first = _told(server, f"GET /api/v1/conflicts HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    assert first.startswith((b"HTTP/1.1 421", b"HTTP/1.1 400"))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8090", "[::1]:8090"])
def test_the_names_of_this_machine_are_answered(server: Server, host: str) -> None:
    """With any port: somebody may have forwarded one."""
    first = _told(server, f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    assert first == b"HTTP/1.1 200 OK"


def test_names_of_the_configuration_are_answered(board: FakeBoard) -> None:
    """The public address and further hosts."""
    admin = settings(public_url="https://sync.contoso.example/console", hosts=["syncd.internal"])
    with served(board, admin) as server, client(server) as web:
        found = [
            web.get("/healthz", headers={"Host": host}).status_code
            for host in ("sync.contoso.example", "syncd.internal:80", "contoso.example")
        ]

    assert found == [200, 200, 421]


def test_a_server_on_all_addresses_answers_to_the_one_it_was_reached_by(board: FakeBoard) -> None:
    """A probe or a scraper asks by address; no name can be made to look like that."""
    with served(board, settings(listen="0.0.0.0:0")) as server:
        with socket.create_connection(("127.0.0.2", server.port), timeout=20) as line:
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.2\r\n\r\n")
            mine = line.makefile("rb").readline().strip()
        other = _told(server, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.3\r\n\r\n")

    assert mine == b"HTTP/1.1 200 OK"
    assert other.startswith(b"HTTP/1.1 421")


# --- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py",
        "/static/%5c..%5capp.py",
        "//etc/passwd", "/static/", "/static//etc/passwd", "/templates/base.html",
        "/api/v1/plans/..%2f..%2fetc%2fpasswd", "/static/console.css/", "/%00",
        "/static/%c0%ae%c0%ae/",
    ],
)  # fmt: skip
def test_no_path_leads_to_a_file(server: Server, path: str) -> None:
    """The one file that is served was read at the start."""
    first = _told(server, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert first == b"HTTP/1.1 404 Not Found"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST", "TRACE", "BREW"])
def test_reading_addresses_take_no_other_method(server: Server, method: str) -> None:
    """Nothing can be changed by accident."""
    first = _told(server, f"{method} /api/v1/runs HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert first == b"HTTP/1.1 405 Method Not Allowed"


# --- size and shape -----------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_refused(web: httpx.Client) -> None:
    """Whether its size is told beforehand or not, and whoever sends it."""
    path = "/api/v1/environments/contoso/run"
    told = web.post(path, content=b"x" * 5_000_000)

    assert told.status_code == 413
    assert "too large" in told.json()["error"]


def test_a_body_of_untold_size_is_refused_when_it_becomes_too_large(board: FakeBoard) -> None:
    """It is not kept in memory until then."""
    headers = {"Authorization": "Bearer right", "Content-Type": "application/json"}
    pieces = (b"[" * 1000 for _ in range(1000))
    with served(board, settings(token="right")) as server, client(server, headers) as web:
        answer = web.post("/api/v1/environments/contoso/run", content=pieces)

    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"414"),
        (HEAD + b"X: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
        (HEAD + b"Content-Length: -1\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", b"4"),
        (HEAD + b"Host: localhost\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.0\r\n\r\n", b"421"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
        (HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b"200"),
    ],
    ids=["long", "wide", "negative", "huge", "two hosts", "no host", "tls", "absolute", "upgrade"],
)
def test_a_request_of_a_wrong_shape_is_refused(
    server: Server, request_: bytes, status: bytes
) -> None:
    """The next one is answered as ever."""
    first = _told(server, request_)

    assert first.startswith(b"HTTP/1.1 " + status)
    assert _told(server, HEAD + b"\r\n") == b"HTTP/1.1 200 OK"


# --- patience -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "beginning",
    [b"", b"GET / HT", HEAD, POST + b"{"],
    ids=["nothing", "half a line", "half a head", "half a body"],
)
def test_a_client_that_does_not_get_on_is_cut_off(board: FakeBoard, beginning: bytes) -> None:
    """Others are answered all the while."""
    with served(board, settings(token="right"), patience=0.3) as server, _line(server) as slow:
        slow.sendall(beginning)
        others = _told(server, HEAD + b"\r\n")
        got = b"".join(iter(lambda: _taken(slow), b""))

    assert others == b"HTTP/1.1 200 OK"
    assert got == b""


def _taken(line: socket.socket) -> bytes:
    """Take what comes; a connection that was cut gives nothing."""
    try:
        return line.recv(65536)
    except ConnectionResetError:
        return b""


def test_a_thousand_scrapes_at_once_are_all_answered(board: FakeBoard, server: Server) -> None:
    """Those who ask while the metrics are being written share what is written."""
    board.scrapes = 0
    board.hold = threading.Event()
    lines = [socket.create_connection(("127.0.0.1", server.port), 20) for _ in range(1000)]
    try:
        for line in lines:
            line.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        alive = _told(server, HEAD + b"\r\n")
        board.hold.set()
        answers = {line.makefile("rb").readline().strip() for line in lines}
    finally:
        board.hold.set()
        board.hold = None
        for line in lines:
            line.close()

    assert alive == b"HTTP/1.1 200 OK"
    assert answers == {b"HTTP/1.1 200 OK"}
    assert board.scrapes <= 100


def test_many_who_look_at_once_are_all_answered(server: Server) -> None:
    """Reads take turns, so that the runs keep their connections to the state database."""
    paths: Sequence[str] = ["/", "/runs", "/conflicts", "/explain?user=E2"] * 10
    with client(server) as web, ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda path: web.get(path).status_code, paths))

    assert set(found) == {200}


# --- what every answer carries ------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/runs", "/nothing", "/api/v1/nothing"])
def test_every_answer_forbids_scripts_frames_and_caches(web: httpx.Client, path: str) -> None:
    """Also one that refuses."""
    headers = web.get(path).headers
    policy = headers["content-security-policy"]

    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "script" not in policy
    assert "set-cookie" not in headers
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers


def test_what_somebody_types_is_not_taken_for_markup(web: httpx.Client) -> None:
    """Neither in a text nor in an attribute, and what the daemon says neither."""
    page = web.get("/people", params={"query": '"><script>alert(1)</script>'}).text
    overview = web.get("/").text

    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "rights are &lt;complete&gt; &amp; fresh" in overview


def test_an_error_of_the_program_is_no_traceback(
    board: FakeBoard, web: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer is a sentence, and the log does not say what was asked."""
    board.broken = True
    answer = web.get("/api/v1/environments?who=ada@contoso.com")
    page = web.get("/")
    board.broken = False
    said = capsys.readouterr()

    sentence = "something went wrong here; see the log"
    assert (answer.status_code, answer.json()) == (500, {"error": sentence})
    assert page.status_code == 500
    assert sentence in page.text
    assert "request failed" in said.out + said.err
    assert "ada@" not in said.out + said.err
    assert "Traceback" not in said.out + said.err


def test_a_client_that_does_not_take_its_answer_is_cut_off(board: FakeBoard) -> None:
    """What was written for it is thrown away, and the others are answered."""
    with served(board, settings(), patience=0.3) as server, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.port))
        slow.settimeout(0.05)
        cut = _asks_on(slow, b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        others = _told(server, HEAD + b"\r\n")

    assert cut
    assert others == b"HTTP/1.1 200 OK"


def _asks_on(line: socket.socket, asked: bytes) -> bool:
    """Ask and ask and never take an answer; tell whether the server ends that."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            line.send(asked * 20)
        except TimeoutError:
            continue
        except OSError:
            return True
    return False
