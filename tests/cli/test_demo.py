"""The demo, as somebody sees it who types `syncd demo`."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from datetime import date
from pathlib import Path

import pytest

from syncd.cli.news import overnight
from syncd.cli.picture import Picture, World, pictures
from syncd.config import load
from syncd.connectors.sources.files import CsvSource
from syncd.core.ports import Known
from syncd.sandbox import Running, Sandbox, Store, run_seed
from tests.campaign import LONG, long
from tests.cli.office import Done, environ, syncd
from tests.connectors.sources.backends import openldap, scim

ROOT = Path(__file__).parents[2]
PEOPLE = "60"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Give what the demo says about a small company, in a pipe."""
    folder = tmp_path_factory.mktemp("demo")
    done = syncd("demo", "--people", PEOPLE, folder=folder, TMPDIR=str(folder))
    assert list(folder.iterdir()) == []  # nothing stays
    return done


def scene(told: Done, number: int) -> str:
    """Return one scene of the story."""
    found = re.search(
        rf"^{number} · .*?(?=^\d · |^Where to go)", told.out, re.DOTALL | re.MULTILINE
    )
    assert found is not None
    return found[0]


def test_the_demo_needs_nothing_and_ends_well(told: Done) -> None:
    """No configuration, no colours in a pipe, no line beyond 80 columns, nothing on stderr."""
    assert (told.code, told.err) == (0, "")
    assert "\x1b" not in told.out
    assert max(map(len, told.out.splitlines())) <= 80
    assert [line[0] for line in re.findall(r"^\d · .*$", told.out, re.MULTILINE)] == list("1234567")


def test_the_plan_names_people_and_reasons(told: Done) -> None:
    """Grouped by what would be done, with an example or two of each."""
    plan = scene(told, 2)

    assert "$ syncd plan" in plan
    assert re.search(
        r"^create \d+  wanted, but there is no row\n  .* → .*  rule ", plan, re.MULTILINE
    )
    assert re.search(r"^move \d+ ", plan, re.MULTILINE)
    assert re.search(r"^for a person \d+ ", plan, re.MULTILINE)


def test_a_gate_holds_and_a_person_lets_it_pass(told: Done) -> None:
    """The exit code is the gate's; with a pass the same run ends with 0."""
    assert "the exit code is 3" in " ".join(scene(told, 3).split())
    assert "syncd passes grant --scope run" in scene(told, 4)
    assert "exit code 0." in scene(told, 4)


def test_everybody_has_what_they_should_in_the_end(told: Done) -> None:
    """After the clean-up nobody lacks a profile, and nobody has one wrongly."""
    profiles = re.findall(r"^  ([A-Z]\w+ ?\w*?) +(\d+) +(.*)$", scene(told, 6), re.MULTILINE)

    assert len(profiles) == 4
    for _, should, rest in profiles:
        (_, have), (_, lack), (_, wrong) = re.findall(r"(\d+) → (\d+)", rest)
        assert (have, lack, wrong) == (should, "0", "0")
    assert re.search(r"^  MULTI_PROFILE_DIRECT .* [1-9]\d* → 0$", scene(told, 6), re.MULTILINE)


def test_nothing_is_left_to_do_in_the_end(told: Done) -> None:
    """The last run changes nothing, and says what remains for a person."""
    assert "0 changes: all is in step" in " ".join(scene(told, 7).split())
    assert "syncd demo --keep" in told.out


def test_kept_everything_runs_until_it_is_ended(tmp_path: Path) -> None:
    """What it prints can be typed; the folder and a way back stay."""
    process = subprocess.Popen(
        [sys.executable, "-m", "syncd", "demo", "--keep", "--people", PEOPLE],
        env={**environ(), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    said = _told(process)
    configuration = re.search(r"export SYNCD_CONFIG=(.*)", said)
    assert configuration is not None
    planned = syncd("-c", configuration[1], "plan", "--json", folder=tmp_path)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)

    assert planned.json["changes"] == []
    assert process.returncode == 0
    assert (Path(configuration[1]).parent / "world.json").exists()
    assert "syncd sandbox serve --port" in rest


@pytest.mark.parametrize("source", ["csv", *(long(each) for each in ("ldap", "scim"))])
def test_ended_early_nothing_stays(source: str, tmp_path: Path) -> None:
    """Ctrl-C in the middle of the story takes everything down."""
    _require(source)
    process = subprocess.Popen(
        [sys.executable, "-m", "syncd", "demo", "--source", source],
        env={**environ(), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    assert len(errors.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
    assert _running(tmp_path) == []


PLACES = {
    "graph": "Entra ID",
    "ldap": "the directory",
    "scim": "the identity platform",
    "sql": "HR's database",
}
SCENES = re.compile(r"^(?:[1-6] · .*|[a-z -]+ \d+ .*|  [A-Z]\w+ .* → .*)$", re.MULTILINE)
"""What the story shows of changes and of numbers, whatever the people come from."""


@LONG
@pytest.mark.parametrize("source", PLACES)
def test_the_story_is_the_same_from_every_source(source: str, told: Done, tmp_path: Path) -> None:
    """People come from a real system of that kind; rules, gate and outcome do not differ."""
    _require(source)

    done = syncd(
        "demo", "--people", PEOPLE, "--source", source, folder=tmp_path, TMPDIR=str(tmp_path)
    )

    assert (done.code, done.err) == (0, "")
    assert f"people in {PLACES[source]}" in " ".join(done.out.split())
    assert SCENES.findall(done.out) == SCENES.findall(told.out) != []
    assert "0 changes: all is in step" in " ".join(done.out.split())
    assert list(tmp_path.iterdir()) == []
    assert _running(tmp_path) == []


@LONG
@pytest.mark.parametrize("source", ["ldap", "scim"])
def test_a_server_ends_with_the_demo_that_started_it(source: str, tmp_path: Path) -> None:
    """Also when the demo is killed, and can take down nothing itself."""
    _require(source)
    process = subprocess.Popen(
        [sys.executable, "-m", "syncd", "demo", "--keep", "--people", PEOPLE, "--source", source],
        env={**environ(), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    said = _told(process)
    configuration = re.search(r"export SYNCD_CONFIG=(.*)", said)
    assert configuration is not None
    planned = syncd("-c", configuration[1], "plan", "--json", folder=tmp_path)
    servers = _running(tmp_path)
    process.kill()
    process.communicate(timeout=60)

    assert planned.json["changes"] == []
    assert planned.json["certificates"][0]["rows"] == int(PEOPLE)
    assert servers
    assert all(_ends(server) for server in servers)


@LONG
def test_a_server_that_is_not_installed_is_said_in_one_sentence(tmp_path: Path) -> None:
    """With what to install; nothing is begun."""
    # The same Python without the folder in which pip puts programs.
    bare = Path(sys.executable).resolve()
    variables = {**environ(), "TMPDIR": str(tmp_path), "PATH": "/nowhere"}
    variables["PYTHONPATH"] = f"{ROOT}:{sysconfig.get_path('purelib')}"
    done = subprocess.run(
        [bare, "-m", "syncd", "demo", "--source", "scim"],
        check=False,
        env=variables,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 64
    assert done.stderr.startswith("syncd: The program scim2-server is not installed; ")
    assert "pip install" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def _require(source: str) -> None:
    """Skip, or fail in CI, where the program behind a source is missing."""
    if source == "ldap":
        openldap.require()
    if source == "scim":
        scim.program()


def _told(process: subprocess.Popen[str]) -> str:
    """Return what a demo says until it waits; it must not end before."""
    assert process.stdout is not None
    said = ""
    while not said.endswith("Ctrl-C ends the sandbox.\n"):
        line = process.stdout.readline()
        assert line, f"it ended after: {said}"
        said += line
    return said


def _running(folder: Path) -> list[Path]:
    """Return the processes that were started to work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"TMPDIR={folder}".encode() in words:
            found.append(process)
    return found


def _ends(process: Path) -> bool:
    """Wait a while for a process to end."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
    return False


def test_a_company_is_large_enough_for_everything_to_go_wrong(tmp_path: Path) -> None:
    """With fewer people the story would have holes."""
    done = syncd("demo", "--people", "49", folder=tmp_path)

    assert done.code == 64
    assert "--people" in done.err


def test_a_picture_counts_who_has_what_rightly() -> None:
    """A row too many is wrong also for whoever should have one; disabled users count nowhere."""
    rows = {("a", "x"): 2, ("b", "x"): 1, ("c", "y"): 1, ("d", "x"): 1}
    names = {"x": "Field Crew", "y": "Depot"}
    world = World(rows, {}, {}, names, frozenset({"d"}), 4, 5)

    found = pictures(world, {("a", "x"), ("c", "x"), ("c", "y")})

    assert found == [
        Picture("Depot", should=1, have=1, lack=0, wrong=0),
        Picture("Field Crew", should=2, have=1, lack=1, wrong=2),
    ]


def test_overnight_nobody_changes_who_has_no_user() -> None:
    """Where nobody suits the news, the record stays as it was."""
    person = {"EmployeeID": "E1", "EntraObjectId": "o1", "Status": "Active", "Last day": ""}
    person |= {"Hire date": "01.01.2020", "Department": "Field Service"}
    nobody = World({}, {}, {}, {}, frozenset(), 0, 0)
    people = [dict(person)]

    assert overnight(people, nobody, date(2026, 3, 2)) == ([], [])
    assert people == [person]


def test_the_example_configuration_reads_the_demo_companys_file(tmp_path: Path) -> None:
    """config/demo.toml is for the file that seed writes: every column that it maps is there."""
    with Running(Sandbox(Store())) as sandbox:
        run_seed(sandbox.url, 60, 1, tmp_path)
    shutil.copy(ROOT / "config" / "demo.toml", tmp_path / "demo.toml")

    source = load(tmp_path / "demo.toml", {}).sources[0]
    assert source.type == "csv"
    reading = CsvSource(
        source.name, source.path, source.mapping(), source.encoding, source.delimiter
    ).read(Known(None, set))
    people = [record for page in reading for record in page]

    assert reading.facts.findings == ()
    assert len(people) == 60
    assert [record[10] for record in people if record[10] is not None] == []
