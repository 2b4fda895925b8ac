"""Notices reach real servers: once each, in the form they want, and whatever others do."""

from __future__ import annotations

import logging
import shlex
import ssl
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import trustme
import typer
from aiosmtpd.smtp import Envelope
from pydantic import SecretStr
from sqlalchemy import text
from structlog.testing import capture_logs

from syncd.cli.program import app
from syncd.config.service import Event, Notification, Smtp, Webhook
from syncd.core import conditions as core
from syncd.core.conditions import Condition, Facts, Item, Matter, Phase
from syncd.core.errors import ConfigError
from syncd.core.gates import Gate
from syncd.core.model import iso
from syncd.service.notify import Notifier
from syncd.service.notify_formats import slack, teams
from syncd.service.notify_mail import Mail
from syncd.service.notify_words import Notice, compose
from syncd.state import conditions
from syncd.state.database import Database
from tests.service.receivers import Answer, inbox, mailbox
from tests.world import NOW, Clock, opened

ENV = 1
EVERYTHING: tuple[Event, ...] = ("gate", "certificate", "quarantine", "conflicts", "dead_letters")


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """Give a state database."""
    database = opened(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still until it is told to go on."""
    return Clock()


def hook(url: str, kind: Any = "webhook", on: tuple[Event, ...] = EVERYTHING) -> Webhook:
    """Describe a web address that is told."""
    return Webhook(type=kind, url=SecretStr(url), on=on)


def troubled(database: Database, env: int = ENV, cause: str = "row") -> None:
    """Let an environment be in quarantine."""
    well(database, env)
    write(
        database,
        "INSERT INTO quarantines (env, since, cause, failed, sent, tries, due) "
        "VALUES (:env, '-', :cause, 40, 90, 1, '-')",
        env=env, cause=cause,
    )  # fmt: skip


def well(database: Database, env: int = ENV) -> None:
    """Let an environment be out of quarantine."""
    write(database, "DELETE FROM quarantines WHERE env = :env", env=env)


def write(database: Database, sql: str, **values: object) -> None:
    """Execute a statement."""
    with database.begin() as tx:
        tx.execute(text(sql), values)


def notifier(database: Database, clock: Clock, *settings: Notification, **more: Any) -> Notifier:
    """Make a notifier whose receivers have little time."""
    return Notifier(database, settings, "https://syncd.example", clock, **{"timeout": 0.5, **more})


def turn(notifier: Notifier) -> None:
    """Do what follows a run: look, and send what is to be sent."""
    notifier.look(ENV, "contoso")
    notifier.flush()


# --- once each ----------------------------------------------------------------------------


def test_beginning_change_and_end_are_told_once_each(database: Database, clock: Clock) -> None:
    """However often somebody looks in between."""
    with inbox() as box:
        told = notifier(database, clock, hook(box.url))
        for act in (troubled, lambda d: troubled(d, cause="0x80040217"), well):
            act(database)
            for _ in range(2):
                clock.wait(minutes=20)
                turn(told)

    assert box.told() == [
        ("quarantine", "entered"),
        ("quarantine", "changed"),
        ("quarantine", "ended"),
    ]
    assert [body["id"] for body in box.bodies] == [f"contoso/quarantine/1/{n}" for n in (1, 2, 3)]


def test_a_restart_tells_nothing_again(database: Database, clock: Clock) -> None:
    """What was told stands in the state database; so it is with another replica."""
    troubled(database)
    with inbox() as box:
        turn(notifier(database, clock, hook(box.url)))
        clock.wait(hours=2)

        turn(notifier(database, clock, hook(box.url)))

    assert box.told() == [("quarantine", "entered")]


def test_what_was_sent_while_the_database_was_away_is_not_sent_again(
    database: Database, clock: Clock
) -> None:
    """That it arrived is noted when the database is back."""
    troubled(database)
    with inbox() as box:
        told = notifier(database, clock, hook(box.url))
        box.meanwhile = [lambda: write(database, "ALTER TABLE meta RENAME TO away")]
        with capture_logs() as said:
            turn(told)
        box.meanwhile = []
        write(database, "ALTER TABLE away RENAME TO meta")
        clock.wait(hours=2)

        turn(told)
        turn(notifier(database, clock, hook(box.url)))

    assert "notices wait" in [line["event"] for line in said]
    assert box.told() == [("quarantine", "entered")]


def test_two_replicas_do_not_send_the_same_message(database: Database, clock: Clock) -> None:
    """One claims it; while it is under way, the other one finds nothing to send."""
    troubled(database)
    with inbox() as box:
        one, other = (notifier(database, clock, hook(box.url)) for _ in range(2))
        one.look(ENV, "contoso")
        other.look(ENV, "contoso")
        box.meanwhile = [other.flush]
        one.flush()
        box.meanwhile = []
        other.flush()

    assert box.told() == [("quarantine", "entered")]


def test_an_environment_that_was_left_is_told_of_no_more(database: Database, clock: Clock) -> None:
    """Another replica keeps it now."""
    troubled(database)
    with inbox() as box:
        told = notifier(database, clock, hook(box.url))
        told.look(ENV, "contoso")
        told.leave(ENV)
        told.flush()

    assert box.bodies == []


def test_receivers_hear_of_what_they_asked_for(database: Database, clock: Clock) -> None:
    """The setting `on` decides for each."""
    troubled(database)
    with inbox() as all_of_it, inbox() as gates:
        turn(notifier(database, clock, hook(all_of_it.url), hook(gates.url, on=("gate",))))

    assert all_of_it.told() == [("quarantine", "entered")]
    assert gates.bodies == []


def test_a_flood_becomes_ten_messages_and_one_more(database: Database, clock: Clock) -> None:
    """The one says how many there are beside; within the hour nothing else comes."""
    with inbox() as box:
        told = notifier(database, clock, hook(box.url))
        for env in range(1, 31):
            troubled(database, env)
            told.look(env, f"plant{env}")
        told.flush()
        for env in range(1, 31):
            well(database, env)
            told.look(env, f"plant{env}")
        told.flush()
        assert len(box.bodies) == 11
        clock.wait(hours=1)

        told.flush()

    assert box.bodies[10]["title"] == "and 20 more, in one message"
    assert box.bodies[10]["lines"][-1] == "and 10 more"
    assert len(box.bodies) == 22
    assert box.bodies[21]["title"] == "and 20 more, in one message"


# --- what a message says ------------------------------------------------------------------


def test_a_message_says_where_what_since_when_how_much_and_what_to_do(
    database: Database, clock: Clock
) -> None:
    """In a document with a schema."""
    troubled(database)
    with inbox() as box:
        turn(notifier(database, clock, hook(box.url)))

    assert box.bodies == [
        {
            "schema": "syncd.notice/1",
            "id": "contoso/quarantine/1/1",
            "environment": "contoso",
            "event": "quarantine",
            "phase": "entered",
            "title": "contoso: in quarantine, because too many changes fail",
            "since": iso(NOW),
            "at": iso(NOW),
            "meaning": "Reading goes on; changes are tried at a falling rate.",
            "lines": ["40 of 90 changes failed, mostly by row"],
            "items": [{"subject": "row", "count": 40, "limit": 90, "detail": ""}],
            "new": 0,
            "commands": ["syncd dead-letters list --environment contoso"],
            "link": "https://syncd.example/",
        }
    ]


ODD = 'Crew *A* <!channel> [x](https://evil.example) & "B" `c` $HOME'
ITEMS = {
    core.Event.GATE: Item("k", f"profile:{ODD}", 12, 5, "removals"),
    core.Event.CERTIFICATE: Item("k", "hr", 7, detail="the read gave 7 rows", certain=True),
    core.Event.QUARANTINE: Item("row", "row", 40, 90),
    core.Event.CONFLICTS: Item("DUPLICATE_PAIR", "DUPLICATE_PAIR", 3),
    core.Event.DEAD_LETTERS: Item("row", "row", 1),
}


def notice(event: core.Event, phase: Phase = Phase.ENTERED) -> Notice:
    """Compose a notice of a made-up condition."""
    matter = Matter(event, (ITEMS[event],), seen=3, mark="3")
    about = Condition(
        1, ENV, matter, iso(NOW), iso(NOW), iso(NOW) if phase is Phase.ENDED else None
    )
    return compose(about, phase, None, "contoso", "https://syncd.example")


@pytest.mark.parametrize("event", core.Event)
def test_each_command_of_a_message_can_be_typed(event: core.Event) -> None:
    """The program knows it with all of its options, whatever names it holds."""
    said = notice(event)

    assert said.commands
    for command in said.commands:
        words = shlex.split(command)
        assert words[0] == "syncd"
        assert parsed(words[1:])


def parsed(words: Sequence[str]) -> bool:
    """Let the program read a command line, and not act."""
    for name in ("look", "cases", "dead_letters"):
        import_module(f"syncd.cli.{name}")  # they put their commands there
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    with command.make_context("syncd", rest) as context:
        return bool(context.params)


def test_a_pass_is_for_the_scope_that_tripped_whatever_its_name_holds() -> None:
    """A shell leaves the name as it is."""
    (_, grant) = notice(core.Event.GATE).commands

    words = shlex.split(grant)
    assert words[words.index("--scope") + 1] == f"profile:{ODD}"
    assert words[words.index("--max") + 1] == "12"


@pytest.mark.parametrize("event", core.Event)
@pytest.mark.parametrize("phase", Phase)
def test_slack_finds_no_markup_in_names(event: core.Event, phase: Phase) -> None:
    """They stand in plain text, or have its three signs escaped."""
    said = slack(notice(event, phase))

    assert said["text"].startswith("contoso: ")
    assert said["blocks"][0]["type"] == "header"
    texts = [
        part
        for block in said["blocks"]
        for part in (block.get("text"), *block.get("elements", ()))
        if part
    ]
    marked = [part["text"] for part in texts if part["type"] == "mrkdwn"]
    assert marked
    assert all("<!" not in each for each in [said["text"], *marked])
    assert all(len(part["text"]) <= 3000 for part in texts)


@pytest.mark.parametrize("event", core.Event)
def test_teams_gets_one_card_whose_texts_are_not_interpreted(event: core.Event) -> None:
    """A text run is shown as it is."""
    said = teams(notice(event))

    (attached,) = said["attachments"]
    card = attached["content"]
    assert said["type"] == "message"
    assert attached["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert card["actions"][0]["url"].startswith("https://syncd.example/")


def test_slack_and_teams_are_sent_their_own_forms(database: Database, clock: Clock) -> None:
    """By the type of the receiver."""
    troubled(database)
    with inbox() as one, inbox(Answer(202)) as other:
        turn(notifier(database, clock, hook(one.url, "slack"), hook(other.url, "teams")))

    assert [sorted(body) for body in one.bodies] == [["blocks", "text"]]
    assert [sorted(body) for body in other.bodies] == [["attachments", "type"]]


# --- receivers that fail ------------------------------------------------------------------


def test_what_did_not_arrive_is_sent_again_later_and_later(
    database: Database, clock: Clock
) -> None:
    """The same message, after 30 seconds, a minute, two minutes."""
    troubled(database)
    waits = []
    with inbox(*[Answer(500)] * 3) as box:
        told = notifier(database, clock, hook(box.url))
        turn(told)
        begun = clock()
        while len(box.bodies) < 4:
            clock.wait(seconds=10)
            before = len(box.bodies)
            told.flush()
            if len(box.bodies) > before:
                waits.append((clock() - begun) / timedelta(seconds=1))
                begun = clock()
        clock.wait(hours=1)
        told.flush()

    assert waits == [30, 60, 120]
    assert len({body["id"] for body in box.bodies}) == 1


def test_a_receiver_that_asks_for_patience_gets_it(database: Database, clock: Clock) -> None:
    """Retry-After, in seconds."""
    troubled(database)
    with inbox(Answer(429, [("Retry-After", "600")])) as box:
        told = notifier(database, clock, hook(box.url))
        turn(told)
        clock.wait(seconds=599)
        told.flush()
        early = len(box.bodies)
        clock.wait(seconds=1)
        told.flush()

    assert (early, len(box.bodies)) == (1, 2)


def test_a_redirect_is_not_followed(database: Database, clock: Clock) -> None:
    """The notice is for the address in the configuration, and for no other."""
    troubled(database)
    with inbox() as elsewhere, inbox() as box, capture_logs() as said:
        box.answers = [Answer(307, [("Location", elsewhere.url)])]
        turn(notifier(database, clock, hook(box.url)))

    assert (len(box.bodies), elsewhere.bodies) == (1, [])
    assert "which is not followed" in said[0]["problem"]


def test_a_receiver_that_does_not_answer_is_left_in_time(database: Database, clock: Clock) -> None:
    """It counts as a failure."""
    troubled(database)
    never = threading.Event()
    with inbox(Answer(after=never)) as box:
        with capture_logs() as said:
            turn(notifier(database, clock, hook(box.url), timeout=0.2))
        never.set()

    assert [line["problem"] for line in said] == ["it did not answer in time"]


@pytest.mark.parametrize(
    ("status", "said"), [(200, ""), (302, "not "), (404, "not "), (500, "not ")]
)
def test_the_log_never_shows_the_address(
    status: int, said: str, database: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever knows it can write there. Libraries say nothing of it either."""
    caplog.set_level(logging.DEBUG)
    troubled(database)
    with inbox(Answer(status)) as box, capture_logs() as lines:
        turn(notifier(database, clock, hook(box.url)))

    assert [line["event"] for line in lines] == [f"notice {said}sent"]
    assert "hunter2" not in repr(lines) + caplog.text
    assert "127.0.0.1" not in repr(lines)


def test_a_receiver_that_is_not_there_hurts_nobody(database: Database, clock: Clock) -> None:
    """Nothing is raised, and the others are told."""
    troubled(database)
    with inbox() as gone:
        url = gone.url
    with inbox() as box, capture_logs() as said:
        turn(notifier(database, clock, hook(url), hook(box.url)))

    assert said[0]["problem"] == "it could not be reached"
    assert box.told() == [("quarantine", "entered")]


def test_a_dead_receiver_does_not_delay_others(database: Database, clock: Clock) -> None:
    """Each has a thread of its own, and a look waits for none of them."""
    troubled(database)
    never = threading.Event()
    with inbox(Answer(after=never)) as dead, inbox() as box:
        told = notifier(database, clock, hook(dead.url), hook(box.url), timeout=20.0)
        told.start()
        told.look(ENV, "contoso")
        assert dead.arrived.acquire(timeout=10)
        assert box.arrived.acquire(timeout=10)
        well(database)
        told.look(ENV, "contoso")
        assert box.arrived.acquire(timeout=10)
        never.set()
        assert dead.arrived.acquire(timeout=10)
        told.stop()

    assert box.told() == [("quarantine", "entered"), ("quarantine", "ended")]
    assert dead.told() == [("quarantine", "entered"), ("quarantine", "ended")]


def test_a_stop_does_not_wait_for_a_dead_receiver(database: Database, clock: Clock) -> None:
    """The process may end; the message is sent by the next one."""
    troubled(database)
    never = threading.Event()
    with inbox(Answer(after=never)) as dead:
        told = notifier(database, clock, hook(dead.url), timeout=20.0)
        told.start()
        told.look(ENV, "contoso")
        assert dead.arrived.acquire(timeout=10)
        told.stop(timeout=0.1)
        alive = [
            thread.name for thread in threading.enumerate() if thread.name.startswith("notify")
        ]
        never.set()
        told.stop(timeout=10.0)

    assert alive == ["notify notifications.0 (webhook)"]


def test_a_look_never_hurts_a_run(database: Database, clock: Clock) -> None:
    """If the state database is away, that is logged."""
    write(database, "ALTER TABLE conditions RENAME TO away")

    with capture_logs() as said:
        turn(notifier(database, clock, hook("https://hooks.example/hunter2")))

    assert [line["event"] for line in said] == ["conditions not looked at", "notices wait"]


@pytest.mark.parametrize(
    "url", ["hooks.example/hunter2", "http://hooks.example/hunter2", "https://["]
)
def test_an_address_that_cannot_be_one_is_a_mistake_in_the_configuration(
    url: str, database: Database, clock: Clock
) -> None:
    """The sentence names the setting, and not what it holds."""
    with pytest.raises(
        ConfigError, match=r"notifications\.1\.url: must hold a web address"
    ) as caught:
        notifier(database, clock, hook("https://hooks.example/a"), hook(url))

    assert "hunter2" not in str(caught.value)


# --- mail ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Give somebody who issues certificates."""
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """Give what a server on this machine needs to speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """Give the file that names the authority."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def smtp(port: int, **more: Any) -> Smtp:
    """Describe who gets mail."""
    given: dict[str, Any] = {
        "type": "smtp",
        "host": "127.0.0.1",
        "port": port,
        "sender": "syncd <syncd@contoso.example>",
        "to": ("ops@contoso.example", "hr@contoso.example"),
    }
    return Smtp(**{**given, **more})


def read(mail: Envelope) -> EmailMessage:
    """Read a mail as it came."""
    assert isinstance(mail.content, bytes)
    return message_from_bytes(mail.content, policy=policy.default)


LOGIN = {"user": "syncd", "password": SecretStr("hunter2")}


def test_a_mail_goes_encrypted_to_everybody_named(
    database: Database, clock: Clock, tls: ssl.SSLContext, ca_file: str
) -> None:
    """With STARTTLS and a login; the end of the condition belongs to the same conversation."""
    with mailbox(tls) as box:
        told = notifier(database, clock, smtp(box.port, **LOGIN), ca_file=ca_file, timeout=5.0)
        troubled(database)
        turn(told)
        well(database)
        turn(told)

    begin, end = (read(mail) for mail in box.mails)
    assert box.logins == [(b"syncd", b"hunter2")] * 2
    assert box.mails[0].rcpt_tos == ["ops@contoso.example", "hr@contoso.example"]
    assert begin["Subject"] == "[syncd] contoso: in quarantine, because too many changes fail"
    assert end["Subject"] == "[syncd] contoso: out of quarantine"
    assert begin["References"] == end["References"]
    assert begin["Message-ID"] != end["Message-ID"]
    assert begin["Auto-Submitted"] == "auto-generated"
    assert "40 of 90 changes failed" in begin.get_content()
    assert "syncd dead-letters list --environment contoso" in begin.get_content()


def test_a_password_is_never_sent_in_the_clear(database: Database, clock: Clock) -> None:
    """Nor is the mail sent without signing in."""
    troubled(database)
    with mailbox() as box, capture_logs() as said:
        turn(notifier(database, clock, smtp(box.port, **LOGIN), timeout=5.0))

    assert (box.logins, box.mails) == ([], [])
    assert "offers no encryption" in said[0]["problem"]


def test_a_mail_server_that_asks_for_nothing_gets_nothing(database: Database, clock: Clock) -> None:
    """A relay on this machine knows neither TLS nor passwords."""
    troubled(database)
    with mailbox() as box:
        turn(notifier(database, clock, smtp(box.port), timeout=5.0))

    assert len(box.mails) == 1


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    database: Database, clock: Clock, tls: ssl.SSLContext
) -> None:
    """The password stays here."""
    troubled(database)
    with mailbox(tls) as box, capture_logs() as said:
        turn(notifier(database, clock, smtp(box.port, **LOGIN), timeout=5.0))

    assert (box.logins, box.mails) == ([], [])
    assert said[0]["problem"] == "the mail server's certificate is not trusted"


def test_on_port_465_everything_is_encrypted_from_the_first_byte(
    clock: Clock, tls: ssl.SSLContext, ca_file: str
) -> None:
    """The port number decides; here another one stands for it."""
    with mailbox(tls, implicit=True) as box:
        way = Mail(
            "127.0.0.1", box.port, "syncd@contoso.example", ["ops@contoso.example"], 5.0, clock,
            implicit=True, user="syncd", password="hunter2", ca_file=ca_file,
        )  # fmt: skip
        refusal = way.send(notice(core.Event.GATE))

    assert refusal is None
    assert box.logins == [(b"syncd", b"hunter2")]
    assert len(box.mails) == 1


def test_a_wrong_password_is_not_tried_again_and_again(
    database: Database, clock: Clock, tls: ssl.SSLContext, ca_file: str
) -> None:
    """An account could be locked: each way to sign in is tried once an hour."""
    troubled(database)
    wrong = {"user": "syncd", "password": SecretStr("sesame")}
    with mailbox(tls) as box, capture_logs() as said:
        told = notifier(database, clock, smtp(box.port, **wrong), ca_file=ca_file, timeout=5.0)
        turn(told)
        clock.wait(minutes=59)
        told.flush()

    assert box.logins == [(b"syncd", b"sesame")] * 2
    assert said[0]["problem"] == "the mail server refused the user and password (535)"
    assert "sesame" not in repr(said)


@pytest.mark.parametrize(("answer", "minutes"), [("451 not now", 1), ("554 never", 60)])
def test_a_mail_that_is_refused_is_tried_again_as_the_code_says(
    answer: str, minutes: int, database: Database, clock: Clock
) -> None:
    """Soon, or once an hour."""
    troubled(database)
    with mailbox() as box:
        told = notifier(database, clock, smtp(box.port), timeout=5.0)
        box.refuses = answer
        turn(told)
        box.refuses = None
        clock.wait(minutes=minutes, seconds=-31)
        told.flush()
        early = len(box.mails)
        clock.wait(seconds=31)
        told.flush()

    assert (early, len(box.mails)) == (0, 1)


def test_a_gate_tells_how_to_open_it(database: Database, clock: Clock) -> None:
    """Scope and number stand in the command, ready to be typed."""
    gates = (Gate("removals", "run", 12, 5, tripped=True),)
    with database.begin() as tx:
        conditions.look(tx, ENV, Facts(gates, None, None, None, ()), clock())
    with inbox() as box:
        told = notifier(database, clock, hook(box.url))
        turn(told)

    (body,) = box.bodies
    assert body["title"] == "contoso: a gate holds 12 changes"
    assert body["lines"] == ["removals, run: 12 planned, 5 allowed"]
    assert body["commands"][1] == (
        "syncd passes grant --scope run --max 12 --expires 2h --reason TEXT --environment contoso"
    )
