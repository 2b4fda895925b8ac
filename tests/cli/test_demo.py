"""The demo, as somebody sees it who types `syncd demo`."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from syncd.cli.news import write
from syncd.cli.picture import Picture, World, pictures
from syncd.config import load
from syncd.connectors.sources.files import CsvSource
from syncd.core.ports import Known
from syncd.sandbox import Running, Sandbox, Store, run_seed
from tests.cli.office import Done, environ, syncd

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
    assert process.stdout is not None
    said = "".join(iter(process.stdout.readline, "Ctrl-C ends the sandbox.\n"))
    configuration = re.search(r"export SYNCD_CONFIG=(.*)", said)
    assert configuration is not None
    planned = syncd("-c", configuration[1], "plan", "--json", folder=tmp_path)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)

    assert planned.json["changes"] == []
    assert process.returncode == 0
    assert (Path(configuration[1]).parent / "world.json").exists()
    assert "syncd sandbox serve --port" in rest


def test_ended_early_nothing_stays(tmp_path: Path) -> None:
    """Ctrl-C in the middle of the story takes everything down."""
    process = subprocess.Popen(
        [sys.executable, "-m", "syncd", "demo"],
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


def test_overnight_nobody_changes_who_has_no_user(tmp_path: Path) -> None:
    """Where nobody suits the news, the file stays as it was."""
    file = tmp_path / "hr.csv"
    text = (
        "EmployeeID,EntraObjectId,Status,Hire date,Last day,Department\r\n"
        "E1,o1,Active,01.01.2020,,Field Service\r\n"
    )
    file.write_text(text, encoding="utf-8", newline="")
    nobody = World({}, {}, {}, {}, frozenset(), 0, 0)

    assert write(file, nobody, date(2026, 3, 2)) == []
    assert file.read_bytes().decode() == text


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
