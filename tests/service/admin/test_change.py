"""Who may change something, and that every change is on record."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from syncd.config.models import ClientSecret
from syncd.service.admin import Server
from syncd.service.admin.auth import Attempts
from syncd.service.admin.refusal import Refusal
from syncd.state import overview
from syncd.state.views import Document
from tests.campaign import LONG
from tests.service.admin.directory import AUDIENCE, KEYS, ROLE, TENANT, Entra, directory_served
from tests.service.admin.house import TOKEN, FakeBoard, client, served, settings

RUN = "/api/v1/environments/contoso/run"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def open_server(board: FakeBoard) -> Iterator[Server]:
    """Give a server of its own, to which the token opens the door."""
    board.asked.clear()
    with served(board, settings(token=TOKEN, public_url="https://sync.contoso.example")) as found:
        yield found


@pytest.fixture
def door(open_server: Server) -> Iterator[httpx.Client]:
    """Give a client of that server."""
    with client(open_server) as found:
        yield found


def _audit(board: FakeBoard) -> list[Document]:
    with board.database.read() as tx:
        return [line for line in overview.audit(tx, [1]) if line["what"] == "run"]


# --- the token ----------------------------------------------------------------------------------


def test_nothing_can_be_changed_unless_it_was_configured(
    web: httpx.Client, board: FakeBoard
) -> None:
    """With no token to compare with, every token is wrong."""
    board.asked.clear()
    answers = [web.post(RUN, json={"task": "delta"}, headers=h) for h in ({}, BEARER)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert "admin.token" in answers[0].json()["error"]
    assert board.asked == []


def test_whoever_shows_the_token_may_ask_for_a_run(door: httpx.Client, board: FakeBoard) -> None:
    """The daemon is asked once, and the audit log has one more line."""
    before = len(_audit(board))
    answer = door.post(RUN, json={"task": "delta"}, headers=BEARER)
    lines = _audit(board)

    assert (answer.status_code, answer.json()) == (
        202, {"environment": "contoso", "task": "delta", "answer": "started"},
    )  # fmt: skip
    assert board.asked == [("contoso", "delta", "holder of admin.token")]
    assert len(lines) == before + 1
    assert lines[0]["who"] == "holder of admin.token"
    assert lines[0]["environment"] == "contoso"
    assert lines[0]["why"] == "delta asked for through the web"


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Basic Zm9v", "Bearer wrong", f"Bearer {TOKEN}x", TOKEN,
              f"Bearer {TOKEN[:-1]}", "Bearer \u00e4"],
)  # fmt: skip
def test_nobody_else_may(door: httpx.Client, board: FakeBoard, shown: str) -> None:
    """The answer does not say what was shown."""
    before = len(_audit(board))
    headers = [(b"Authorization", shown.encode("latin-1"))]
    answer = door.post(RUN, json={"task": "delta"}, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text
    assert board.asked == []
    assert len(_audit(board)) == before


def test_who_shows_wrong_tokens_must_wait(door: httpx.Client) -> None:
    """Even the right one is not looked at before; the log names the address, not the token."""
    wrong = {"Authorization": "Bearer hunter2"}
    task = {"task": "delta"}
    with capture_logs() as said:
        codes = [door.post(RUN, json=task, headers=wrong).status_code for _ in range(4)]
        right = door.post(RUN, json=task, headers=BEARER)

    assert codes == [401, 401, 401, 429]
    assert right.status_code == 429
    assert int(right.headers["retry-after"]) >= 1
    noted = [line for line in said if line["event"] == "wrong token"]
    assert [line["address"] for line in noted] == ["127.0.0.1"] * 3
    assert "hunter2" not in str(said)


def test_reading_goes_on_for_who_must_wait(door: httpx.Client) -> None:
    """Only the door is closed."""
    wrong = {"Authorization": "Bearer hunter2"}
    for _ in range(5):
        last = door.post(RUN, json={"task": "delta"}, headers=wrong)

    assert last.status_code == 429
    assert door.get("/api/v1/runs").status_code == 200


def test_the_wait_grows_and_ends() -> None:
    """Three tries are free; each further one doubles the wait, up to five minutes."""
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    waits = []
    for _ in range(14):
        attempts.failed("192.0.2.1")
        waits.append(attempts.wait("192.0.2.1"))
        now[0] += waits[-1]
    now[0] += 3601
    attempts.failed("192.0.2.1")

    assert waits[:6] == [0, 0, 1, 2, 4, 8]
    assert waits[-1] == 300
    assert attempts.wait("192.0.2.1") == 0
    assert attempts.wait("192.0.2.2") == 0


def test_a_customer_with_many_addresses_waits_as_one() -> None:
    """Whoever has an IPv6 network has more addresses than anybody could remember."""
    attempts = Attempts(lambda: 0.0)
    for last in range(3):
        attempts.failed(f"2001:db8::{last:x}")

    assert attempts.wait("2001:db8::ffff") > 0
    assert attempts.wait("2001:db8:0:1::1") == 0


def test_the_right_token_makes_good_for_wrong_ones() -> None:
    """People mistype."""
    attempts = Attempts(lambda: 0.0)
    attempts.failed("192.0.2.1")
    attempts.failed("192.0.2.1")
    attempts.passed("192.0.2.1")

    assert attempts.failed("192.0.2.1") == 1


def test_many_addresses_do_not_fill_the_memory() -> None:
    """Those that were quiet longest are forgotten."""
    attempts = Attempts(lambda: 0.0)
    for number in range(5000):
        for _ in range(3):
            attempts.failed(f"10.0.{number // 250}.{number % 250}")

    assert attempts.wait("10.0.0.0") == 0
    assert attempts.wait("10.0.19.249") > 0


def test_a_token_that_is_changed_while_the_daemon_works_counts_at_once(board: FakeBoard) -> None:
    """The old one opens nothing any more."""
    before = board.app
    with served(board, settings(token=TOKEN)) as server, client(server) as web:
        changed = before.config.settings.model_copy(update={"admin": settings(token="new")})
        board.app = replace(before, config=replace(before.config, settings=changed))
        answers = [
            web.post(RUN, json={"task": "delta"}, headers={"Authorization": f"Bearer {each}"})
            for each in (TOKEN, "new")
        ]
        board.app = before

    assert [answer.status_code for answer in answers] == [401, 202]


def test_whoever_signs_in_may_ask_for_a_run(board: FakeBoard) -> None:
    """An environment of the same directory says where that is; the audit log names who it was."""
    before, configured = board.app, board.config.settings
    with directory_served(Entra(keys={"one": KEYS["one"]})) as entra:
        auth = ClientSecret.model_construct(
            method="client-secret",
            tenant_id=TENANT,
            client_id="x",
            client_secret=SecretStr("x"),
            authority=entra.url,
        )
        contoso = configured.environments["contoso"].model_copy(update={"auth": auth})
        changed = configured.model_copy(update={"environments": {"contoso": contoso}})
        board.app = replace(before, config=replace(before.config, settings=changed))
        admin = settings(entra={"tenant_id": TENANT, "audience": AUDIENCE, "role": ROLE})
        with served(board, admin) as server, client(server) as web:
            answers = [
                web.post(RUN, json={"task": "full"}, headers={"Authorization": f"Bearer {token}"})
                for token in (entra.token(), entra.token(roles=[]), entra.token(aud="x"))
            ]
        board.app = before

    assert [answer.status_code for answer in answers] == [202, 403, 401]
    assert _audit(board)[0]["who"] == "ada@contoso.example"


# --- other sites --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://[bad"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none", "Origin": "https://evil.example"},
    ],
    ids=str,
)
def test_a_page_of_another_site_changes_nothing(
    door: httpx.Client, board: FakeBoard, headers: dict[str, str]
) -> None:
    """Not even with the token."""
    answer = door.post(RUN, json={"task": "delta"}, headers=BEARER | headers)

    assert answer.status_code == 403
    assert "another site" in answer.json()["error"]
    assert board.asked == []


def test_our_own_address_is_no_other_site(door: httpx.Client, board: FakeBoard) -> None:
    """Neither the one that was asked nor the public one."""
    here = str(door.base_url).rstrip("/")
    codes = [
        door.post(RUN, json={"task": "full"}, headers=BEARER | {"Origin": each}).status_code
        for each in (here, "https://sync.contoso.example")
    ]

    assert codes == [202, 202]
    assert len(board.asked) == 2


# --- what is asked ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ('{"task": "delta"}', "text/plain", 415),
        ('{"task": "delta"}', "application/x-www-form-urlencoded", 415),
        ("", "application/json", 400),
        ("{", "application/json", 400),
        ('"delta"', "application/json", 400),
        ('{"task": "drop"}', "application/json", 400),
        ('{"task": ["delta"]}', "application/json", 400),
        ('{"task": "delta", "force": true}', "application/json", 400),
        ("[" * 15_000, "application/json", 400),
        ('{"task": "\\ud800"}', "application/json", 400),
    ],
    ids=range(10),
)
def test_only_a_task_can_be_asked_for(
    door: httpx.Client, board: FakeBoard, body: str, kind: str, status: int
) -> None:
    """Anything else is not understood, and nothing is asked of the daemon."""
    headers = BEARER | {"Content-Type": kind}
    answer = door.post(RUN, content=body, headers=headers)

    assert answer.status_code == status
    assert board.asked == []


def test_an_environment_that_is_not_there_is_said(door: httpx.Client, board: FakeBoard) -> None:
    """With those that are."""
    answer = door.post(RUN.replace("contoso", "nope"), json={"task": "delta"}, headers=BEARER)

    assert answer.status_code == 404
    assert "there are contoso" in answer.json()["error"]
    assert board.asked == []


def test_what_the_daemon_refuses_is_on_record_as_refused(
    door: httpx.Client, board: FakeBoard
) -> None:
    """The sentence is the daemon's."""
    board.refusal = "contoso is kept by another replica; ask there"
    answer = door.post(RUN, json={"task": "delta"}, headers=BEARER)
    board.refusal = None
    newest = {line["why"] for line in _audit(board)[:2]}

    assert (answer.status_code, answer.json()["error"]) == (
        409, "contoso is kept by another replica; ask there",
    )  # fmt: skip
    assert "delta asked for through the web was refused" in newest


@LONG
def test_nothing_starts_that_cannot_be_put_on_record(door: httpx.Client, board: FakeBoard) -> None:
    """While a run writes for long, the audit log cannot be written: the asker tries again."""
    written, over = threading.Event(), threading.Event()

    def write() -> None:
        with board.database.durable():
            written.set()
            over.wait(60)

    thread = threading.Thread(target=write)
    thread.start()
    written.wait(10)
    answer = door.post(RUN, json={"task": "delta"}, headers=BEARER)
    over.set()
    thread.join()

    assert answer.status_code == 503
    assert "nothing was started" in answer.json()["error"]
    assert board.asked == []


def test_a_refusal_says_its_sentence() -> None:
    """Whoever catches one by chance sees what it is about."""
    assert str(Refusal(404, "there is none")) == "there is none"
