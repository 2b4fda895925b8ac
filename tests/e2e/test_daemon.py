"""The daemon as a process: it starts, works, listens to signals, and ends in order."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path
from threading import Event

import pytest

from syncd.sandbox import Answer
from tests.e2e.house import Serve
from tests.e2e.service import Site, site, until

CREW = {"E1": "Field", "E2": "Depot", "E3": "Field"}
MOVED = {"E1": "Depot", "E2": "Depot", "E3": "Field", "E4": "Depot"}


def opened(folder: Path) -> str:
    """Give the state database its address."""
    return f"sqlite:///{folder / 'syncd.db'}"


def works(place: Site, people: dict[str, str]) -> None:
    """Start a daemon and let it bring everybody in step."""
    place.people(people)
    daemon = place.daemon()
    daemon.said("task ends", task="full")
    daemon.said("task ends", task="preflight")
    place.arrived(people)


def test_changes_in_hr_arrive_without_anybody_asking(tmp_path: Path) -> None:
    """The first run is a full one; a second later the file is looked at again."""
    with site(tmp_path, opened(tmp_path)) as place:
        works(place, CREW)
        place.people(MOVED)
        place.arrived(MOVED)
        [daemon] = place.daemons
        assert daemon.get("/healthz").status_code == 200
        assert daemon.get("/readyz").status_code == 200
        assert daemon.end() == 0


def test_a_second_daemon_on_one_sqlite_file_is_refused(tmp_path: Path) -> None:
    """It says who is in the way, and ends with 6; the first goes on."""
    with site(tmp_path, opened(tmp_path)) as place:
        works(place, CREW)
        second = place.daemon()
        assert second.process.wait(60) == 6
        assert "another syncd daemon works with the state database" in second.log.read_text()
        place.people(MOVED)
        place.arrived(MOVED)


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """Nothing was begun: 64, as for any configuration that cannot be had."""
    with socket.create_server(("127.0.0.1", 0)) as taken, site(tmp_path, opened(tmp_path)) as place:
        place.people(CREW)
        text = (tmp_path / "syncd.toml").read_text(encoding="utf-8")
        port = taken.getsockname()[1]
        changed = text.replace("127.0.0.1:0", f"127.0.0.1:{port}")
        (tmp_path / "syncd.toml").write_text(changed, encoding="utf-8")
        daemon = place.daemon()
        assert daemon.process.wait(60) == 64
        said = [line for line in daemon.log.read_text().splitlines() if str(port) in line]
        assert len(said) == 1
        assert place.rows() == {}


def test_a_broken_configuration_is_one_message_at_the_start(tmp_path: Path) -> None:
    """All problems at once, no traceback, 64."""
    with site(tmp_path, opened(tmp_path)) as place:
        (tmp_path / "syncd.toml").write_text("[daemon]\ndelta = 'often'\nful = '1h'\n")
        daemon = place.daemon()
        assert daemon.process.wait(60) == 64
        said = daemon.log.read_text(encoding="utf-8")
        assert "daemon.delta" in said
        assert "daemon.ful" in said
        assert "Traceback" not in said


def test_a_reload_takes_the_new_configuration_or_keeps_the_old_one(tmp_path: Path) -> None:
    """SIGHUP: a broken file is refused with its reason, a good one is in force at once."""
    with site(tmp_path, opened(tmp_path)) as place:
        works(place, CREW)
        [daemon] = place.daemons
        good = (tmp_path / "syncd.toml").read_text(encoding="utf-8")
        (tmp_path / "syncd.toml").write_text(good + "[nonsense]\n", encoding="utf-8")
        daemon.send(signal.SIGHUP)
        refused = daemon.said("configuration not reloaded; the old one stays")
        assert "nonsense" in refused["problem"]
        place.people(MOVED)
        place.arrived(MOVED)

        turned = good.replace('== "Field"', '== "Never"', 1)
        (tmp_path / "syncd.toml").write_text(turned, encoding="utf-8")
        daemon.send(signal.SIGHUP)
        daemon.said("configuration reloaded")
        until(lambda: "OUT_OF_SCOPE" in daemon.get("/metrics").text, "the new rules in force")


@pytest.mark.campaign
def test_a_signal_asks_for_a_run_at_once(tmp_path: Path) -> None:
    """SIGUSR1 looks for changes, also where the next look is a day away."""
    with site(tmp_path, opened(tmp_path)) as place:
        place.delta = "1d"
        place.configure()
        works(place, CREW)
        place.people(MOVED)
        place.daemons[0].send(signal.SIGUSR1)
        place.arrived(MOVED)
        assert place.daemons[0].said("task begins", task="delta")["asked_by"] == "SIGUSR1"


def test_a_stop_in_the_middle_of_a_batch_settles_what_is_in_flight(tmp_path: Path) -> None:
    """SIGTERM: no batch begins any more, the one on its way is put on record, it ends with 0."""
    many = {f"E{number}": "Field" for number in range(1, 31)}
    asked, go = Event(), Event()

    def ear(method: str, path: str, serve: Serve) -> Answer:
        if method == "POST" and path == "$batch" and not asked.is_set():
            asked.set()
            assert go.wait(60)
        return serve()

    with site(tmp_path, opened(tmp_path)) as place:
        place.wires["contoso"].ear = ear
        place.people(many)
        first = place.daemon()
        assert asked.wait(60)
        first.send(signal.SIGTERM)
        go.set()
        assert first.process.wait(60) == 0
        assert 0 < len(place.rows()) < len(many)

        second = place.daemon()
        place.arrived(many)
        assert second.end() == 0


@pytest.mark.campaign
def test_who_asks_twice_to_stop_is_not_kept_waiting(tmp_path: Path) -> None:
    """A second SIGTERM leaves at once, whatever is in flight; the next start makes it good."""
    asked, go = Event(), Event()

    def ear(method: str, path: str, serve: Serve) -> Answer:
        if method == "POST" and path == "$batch" and not asked.is_set():
            asked.set()
            go.wait(60)
        return serve()

    with site(tmp_path, opened(tmp_path)) as place:
        place.wires["contoso"].ear = ear
        place.people(CREW)
        daemon = place.daemon()
        assert asked.wait(60)
        daemon.send(signal.SIGTERM)
        time.sleep(1)
        daemon.send(signal.SIGTERM)
        assert daemon.process.wait(60) == 128 + signal.SIGTERM
        go.set()
        works(place, CREW)
