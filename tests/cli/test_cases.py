"""What operators decide, through the commands that they type."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.cli.conflicts import HEADS
from syncd.cli.listing import write_columns
from tests.campaign import LONG
from tests.cli.office import ADA, CY, DAY, Office, opened
from tests.company import CREW, DEPOT

WHY = ("--reason", "works council")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give an office in which nothing has been read yet."""
    with opened(tmp_path) as office:
        yield office


@pytest.fixture
def settled(office: Office) -> Office:
    """Give an office after its first run."""
    code, _ = office.reconcile()
    assert code == 0
    return office


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Give an office after its first run, for tests that leave it as it is."""
    with opened(tmp_path_factory.mktemp("quiet")) as office:
        office.reconcile()
        yield office


def situation(plan: Any, person: str) -> list[str]:
    """Return the situations under which a plan reports a person."""
    return [each["situation"] for each in plan["reports"] if each["person"] == person]


def audited(office: Office) -> list[tuple[str, str, str]]:
    """Return who did what and why, as the audit log has it of operators."""
    with sqlite3.connect(office.folder / "syncd.db") as database:
        sql = "SELECT who, what, why FROM audit WHERE run IS NULL ORDER BY id"
        return database.execute(sql).fetchall()


# --- what all decisions share ---------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("conflicts", "resolve", "ada@contoso.com", "--profile", "Depot"),
        ("links", "set", "E3", "cy@contoso.com"),
        ("holds", "add", "ada@contoso.com"),
        ("passes", "grant", "--scope", "run", "--max", "3", "--expires", "2h"),
    ],
)
def test_no_decision_goes_without_a_reason(quiet: Office, words: tuple[str, ...]) -> None:
    """One of blanks is none; nothing is recorded."""
    done = quiet(*words, "--reason", "  ")

    assert done.code == 64
    assert "--reason is empty" in done.err
    assert audited(quiet) == []


def test_a_reason_is_an_option_that_must_be_there(quiet: Office) -> None:
    """Who leaves it out is told its name."""
    done = quiet("links", "remove", "E3")

    assert done.code == 64
    assert "--reason" in done.err


@pytest.mark.parametrize("name", ["ADA@contoso.com ", f"{{{ADA.upper()}}}"])
def test_somebody_can_be_held_before_the_very_first_run(office: Office, name: str) -> None:
    """The one user is looked up in the environment itself; the first run leaves it alone."""
    held = office("holds", "add", name, *WHY)
    unknown = office("holds", "add", "nobody@contoso.com", *WHY)
    twice = office("holds", "add", "cy@contoso.com", *WHY)
    plan = office.plan()

    assert (held.code, held.err, unknown.code, twice.code) == (0, "", 64, 64)
    assert held.out == "contoso: ada@contoso.com is held until the hold is removed\n"
    assert "no user of contoso has this user name" in unknown.err
    assert CY in twice.err
    assert situation(plan, "E1") == ["HELD"]


def test_a_hold_can_be_taken_back_before_the_first_run(office: Office) -> None:
    """By the same name."""
    office("holds", "add", "ada@contoso.com", *WHY)
    removed = office("holds", "remove", "ada@contoso.com", *WHY)

    assert (removed.code, removed.out) == (0, "contoso: ada@contoso.com is no longer held\n")
    assert office("holds", "list").out == "nobody is held\n"


def test_a_link_can_be_set_before_the_first_run(office: Office) -> None:
    """The first run finds nothing ambiguous; an account of nobody is refused as ever."""
    done = office("links", "set", "E3", CY, *WHY)
    robot = office("links", "set", "E3", "robot@contoso.com", *WHY)
    plan = office.plan()

    assert (done.code, robot.code) == (0, 64)
    assert "is no person's account" in robot.err
    assert situation(plan, "E3") == []


@LONG
def test_an_environment_that_cannot_be_asked_says_so(tmp_path: Path) -> None:
    """It is 5 and nothing is recorded; where another environment has the user, a warning."""
    with opened(tmp_path, "other") as office:
        office.reconcile("other")
    # From here on nobody answers at either address.
    contoso, other = (
        office("holds", "add", "ada@contoso.com", "--environment", name, *WHY)
        for name in ("contoso", "other")
    )
    both = office("holds", "add", "bo@contoso.com", *WHY)

    assert (contoso.code, other.code, both.code) == (5, 0, 0)
    assert contoso.err.startswith("syncd: contoso: nothing has been read yet, so that ada@contoso")
    assert "could not be reached" in contoso.err
    assert both.err.strip().endswith("the decision does not count there")
    assert [what for _, what, _ in audited(office)] == ["hold set", "hold set"]


def test_what_needs_more_than_a_user_needs_a_run_first(office: Office) -> None:
    """What the rules want for somebody is not known yet; the sentence says what to do."""
    done = office("conflicts", "resolve", "ada@contoso.com", "--profile", "Depot", *WHY)

    assert done.code == 64
    assert done.err.strip().endswith("nothing has been read from contoso yet; first run: "
                                     "syncd reconcile")  # fmt: skip


@pytest.mark.parametrize("name", ["ADA@contoso.com ", ADA.upper(), f"{{{ADA}}}"])
def test_a_user_is_found_in_any_normal_form(settled: Office, name: str) -> None:
    """User name, mail and id are compared as section 3 says."""
    added = settled("holds", "add", name, *WHY)

    assert (added.code, added.err) == (0, "")
    assert settled("holds", "list", "--json").json["holds"][0]["user"] == ADA


def test_of_two_users_with_one_mail_none_is_guessed(settled: Office) -> None:
    """Both ids are named, and one of them helps."""
    done = settled("holds", "add", "cy@contoso.com", *WHY)

    assert done.code == 64
    assert "name one by its id" in done.err
    assert CY in done.err
    assert settled("holds", "add", CY, *WHY).code == 0


def test_a_user_whom_nobody_has_is_refused(quiet: Office) -> None:
    """With one sentence, and nothing recorded."""
    done = quiet("holds", "add", "nobody@contoso.com", *WHY)

    assert done.code == 64
    assert len(done.err.splitlines()) == 1
    assert audited(quiet) == []


def test_who_decided_and_why_is_in_the_audit_log(settled: Office) -> None:
    """Both for the decision and for taking it back."""
    settled("holds", "add", "ada@contoso.com", *WHY)
    settled("holds", "remove", "ada@contoso.com", "--reason", "settled")

    assert audited(settled) == [
        ("olga", "hold set", "works council"),
        ("olga", "hold withdrawn", "settled"),
    ]


def test_a_decision_is_for_every_environment_that_has_the_user(tmp_path: Path) -> None:
    """Also for one that nobody has read yet; --environment picks one."""
    with opened(tmp_path, "other") as office:
        office.reconcile()

        both = office("holds", "add", "ada@contoso.com", *WHY)
        one = office("holds", "add", "bo@contoso.com", "--environment", "other", *WHY)

    assert (both.code, one.code) == (0, 0)
    assert [line.split(" is held")[0] for line in both.out.splitlines()] == [
        "contoso: ada@contoso.com",
        "other: ada@contoso.com",
    ]
    assert one.out.startswith("other: bo@contoso.com is held")


# --- conflicts ------------------------------------------------------------------------------


def test_a_conflict_is_listed_with_what_is_known_of_it(quiet: Office) -> None:
    """Code, user, profiles by name, since when, and that it is open."""
    found = quiet("conflicts", "list", "--json").json
    shown = quiet("conflicts", "list").out

    assert found == {
        "environment": "contoso",
        "conflicts": [
            {
                "code": "MULTI_PROFILE_DIRECT", "user": ADA, "user_name": "ada@contoso.com",
                "profiles": ["Depot", "Field Crew"],
                "rows": [f"30000000-0000-4000-8000-{number:012d}" for number in (1, 2)],
                "chosen": None, "open": True,
                "first_seen": DAY, "last_seen": DAY, "ended": None, "ended_by": None,
            }
        ],
    }  # fmt: skip
    assert "MULTI_PROFILE_DIRECT  Depot, Field Crew" in shown


def test_conflicts_fit_a_terminal(quiet: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """Heads and conflicts take two lines each; ids stay whole, and in a pipe it is one."""
    piped = quiet("conflicts", "list").out.splitlines()
    cells = ["contoso", CY, "MULTI_PROFILE_WANTED", "Depot, Field Crew", None, DAY[:10], DAY[:10]]
    write_columns(HEADS, [[*cells, "settled by the last plan"]] * 2, width=80)
    shown = capsys.readouterr().out.splitlines()

    assert len(piped) == 2
    assert max(map(len, shown)) <= 80
    assert [line.split() for line in shown[:2]] == [
        ["ENVIRONMENT", "USER", "CODE"],
        ["PROFILES", "CHOSEN", "FIRST", "SEEN", "LAST", "SEEN", "STATE"],
    ]
    assert shown[2].split() == ["contoso", CY, "MULTI_PROFILE_WANTED"]
    assert shown[3].startswith("  Depot, Field Crew  ")
    assert shown[3].index(DAY[:10]) == shown[1].index("FIRST SEEN")
    assert shown[2:4] == shown[4:]


def test_what_an_operator_chose_wins(settled: Office) -> None:
    """The row with it is adopted, ours goes, and the conflict ends in the history."""
    chosen = settled("conflicts", "resolve", "ada@contoso.com", "--profile", "Depot", *WHY)
    listed = settled("conflicts", "list", "--json").json["conflicts"]
    plan = settled.plan()
    settled.plan()

    assert chosen.code == 0
    assert chosen.out.startswith("contoso: Depot wins for ada@contoso.com")
    assert [each["chosen"] for each in listed] == ["Depot"]
    removed = [each for each in plan["changes"] if each["action"] == "remove"]
    assert [(each["person"], each["profile_before"]) for each in removed] == [("E1", "Field Crew")]
    assert settled("conflicts", "list").out == "no conflicts are open\n"
    ended = settled("conflicts", "list", "--all", "--json").json["conflicts"]
    assert [(each["open"], each["ended_by"]) for each in ended] == [(False, "olga")]


def test_a_choice_counts_against_what_the_rules_wanted_then(settled: Office) -> None:
    """What they wanted is kept with it, as ids."""
    settled("conflicts", "resolve", ADA, "--profile", DEPOT, *WHY)

    with sqlite3.connect(settled.folder / "syncd.db") as database:
        kept = database.execute("SELECT subject, value, against FROM decisions").fetchall()
    assert kept == [(ADA, DEPOT, CREW)]


def test_a_choice_can_be_taken_back_once(settled: Office) -> None:
    """Then the rules decide again, and there is nothing more to take back."""
    settled("conflicts", "resolve", ADA, "--profile", "Depot", *WHY)
    first = settled("conflicts", "withdraw", "ada@contoso.com", *WHY)
    second = settled("conflicts", "withdraw", "ada@contoso.com", *WHY)

    assert (first.code, second.code) == (0, 64)
    assert [each for each in settled.plan()["changes"] if each["action"] == "remove"] == []


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ("Nowhere", "has no such profile; published are: Depot, Field Crew, Twin"),
        ("Draft", "is not published"),
        ("Twin", "has 2 profiles of this name; name one by its id"),
    ],
)
def test_a_profile_without_one_answer_cannot_win(quiet: Office, profile: str, says: str) -> None:
    """Unknown, unpublished and doubled names are refused with what to do."""
    done = quiet("conflicts", "resolve", ADA, "--profile", profile, *WHY)

    assert done.code == 64
    assert says in done.err
    assert audited(quiet) == []


def test_nobody_chooses_where_nothing_is_wanted(quiet: Office) -> None:
    """A choice that can never count is refused rather than kept."""
    done = quiet("conflicts", "resolve", CY, "--profile", "Depot", *WHY)

    assert done.code == 64
    assert "the rules want no profile for this user" in done.err


# --- links ----------------------------------------------------------------------------------


def test_a_link_set_by_hand_settles_what_was_ambiguous(settled: Office) -> None:
    """From the next run on the person has the user that was named."""
    done = settled("links", "set", "E3", CY, *WHY)
    listed = settled("links", "list", "--json").json["links"]
    plan = settled.plan()

    assert done.out == "contoso: E3 is cy@contoso.com; the next run acts on it\n"
    assert [(each["person"], each["user"], each["set_by"]) for each in listed] == [
        ("E3", CY, "olga")
    ]
    created = [each for each in plan["changes"] if each["action"] == "create"]
    assert [(each["person"], each["user"]) for each in created] == [("E3", CY)]


def test_a_link_is_taken_back_in_two_steps(settled: Office) -> None:
    """First what was set by hand, then what is remembered of the rows; then nothing is left."""
    settled("links", "set", "E3", CY, *WHY)
    settled.reconcile()
    by_hand = settled("links", "remove", "E3", *WHY)
    remembered = settled("links", "list", "E3", "--json").json["links"]
    rows = settled("links", "remove", "E3", *WHY)
    nothing = settled("links", "remove", "E3", *WHY)

    assert (by_hand.code, rows.code, nothing.code) == (0, 0, 64)
    assert "no longer linked by hand" in by_hand.out
    assert [each["origin"] for each in remembered] == ["created"]
    assert rows.out.startswith("contoso: 1 row is no longer ours")
    assert audited(settled)[-1] == ("olga", "1 link withdrawn", "works council")
    assert situation(settled.plan(), "E3") == ["AMBIGUOUS"]


def test_only_a_persons_account_can_be_linked(quiet: Office) -> None:
    """An application's user is nobody's."""
    done = quiet("links", "set", "E3", "robot@contoso.com", *WHY)

    assert done.code == 64
    assert "is no person's account" in done.err


def test_a_person_whom_no_source_has_shown_is_a_warning(settled: Office) -> None:
    """The link is kept, for a file may come tomorrow."""
    done = settled("links", "set", "E99", CY, *WHY)

    assert done.code == 0
    assert "no source has shown E99 so far" in done.err
    assert len(settled("links", "list", "--json").json["links"]) == 1


# --- holds ----------------------------------------------------------------------------------


def test_a_held_user_is_left_alone_and_reported(settled: Office) -> None:
    """Until the hold is removed."""
    settled("holds", "add", "ada@contoso.com", *WHY)
    held = settled.plan()
    settled("holds", "remove", "ada@contoso.com", *WHY)

    assert situation(held, "E1") == ["HELD"]
    assert "works council" in next(r["detail"] for r in held["reports"] if r["person"] == "E1")
    assert situation(settled.plan(), "E1") == ["SURPLUS"]


def test_a_hold_ends_by_itself_and_is_marked_in_the_list(settled: Office) -> None:
    """Its last day is still held."""
    settled("holds", "add", "ada@contoso.com", "--until", "2026-03-03", *WHY)
    last, next_day = "2026-03-03T23:00:00Z", "2026-03-04T01:00:00Z"
    on_last = settled("holds", "list", "--json", now=last).json["holds"]
    on_next = settled("holds", "list", "--json", now=next_day).json["holds"]

    assert [each["expired"] for each in (*on_last, *on_next)] == [False, True]
    assert "2026-03-03 (expired)" in settled("holds", "list", now=next_day).out
    _, over = settled.reconcile(now=next_day)
    assert situation(over, "E1") == ["SURPLUS"]


@pytest.mark.parametrize("until", ["tomorrow", "03.03.2026", "2026-03-01"])
def test_a_hold_ends_on_a_day_to_come(quiet: Office, until: str) -> None:
    """What is no day, or is past, is refused."""
    done = quiet("holds", "add", "ada@contoso.com", "--until", until, *WHY)

    assert done.code == 64
    assert done.err.startswith(f"syncd: --until {until}: is ")


def test_a_list_cannot_steer_a_terminal(settled: Office) -> None:
    """A reason is what somebody typed, with anything in it, and is on one line in a pipe."""
    why = "works\ncouncil \x1b[31m" + "long " * 30
    settled("holds", "add", "ada@contoso.com", "--reason", why)

    heads, line = settled("holds", "list").out.splitlines()

    assert heads.split() == ["ENVIRONMENT", "USER", "UNTIL", "SINCE", "BY", "REASON"]
    assert "\x1b" not in line
    assert "  removed  " in line
    assert "works council \ufffd[31mlong" in line
    assert len(line) > 150


def test_sentences_fold_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Ids stay whole, to be copied; a sentence that has no room beside them goes on below."""
    write_columns(("id", "why"), [(ADA, "a reason of many words " * 5)], width=80)
    folded = capsys.readouterr().out.splitlines()
    write_columns(("id", "why"), [(ADA, "a reason of many words " * 5)], width=40)
    narrow = capsys.readouterr().out.splitlines()

    assert max(map(len, folded)) <= 80
    assert [line.split()[0] for line in folded[:2]] == ["ID", ADA]
    assert len(folded) > 3
    assert max(map(len, narrow)) <= 40
    assert narrow[:3] == ["ID", "  WHY", ADA]
    assert " ".join(line.strip() for line in narrow[3:]) == ("a reason of many words " * 5).strip()


def test_a_hold_that_is_not_there_cannot_be_removed(quiet: Office) -> None:
    """It says where to look."""
    done = quiet("holds", "remove", "ada@contoso.com", *WHY)

    assert done.code == 64
    assert "syncd holds list" in done.err


# --- sources --------------------------------------------------------------------------------


def test_a_real_shrink_is_accepted_once(settled: Office) -> None:
    """The list says what the read failed by; the next one passes and is the new baseline."""
    (settled.folder / "hr.csv").write_text("EmployeeID;Department\nE1;Field\n", encoding="utf-8")
    failed, _ = settled.reconcile()
    listed = settled("sources", "list", "--json").json["sources"][0]
    accepted = settled("sources", "accept", "hr", *WHY)
    passed, _ = settled.reconcile()
    after = settled("sources", "list", "--json").json["sources"][0]

    assert (failed, accepted.code, passed) == (4, 0, 0)
    assert (listed["certified"], listed["certified_rows"]) == (False, 3)
    assert listed["findings"][0] in accepted.out
    assert (after["certified"], after["certified_rows"], after["accepted_by"]) == (True, 1, None)


def test_an_acceptance_can_be_taken_back(settled: Office) -> None:
    """Then the next read fails like the one before."""
    (settled.folder / "hr.csv").write_text("EmployeeID;Department\nE1;Field\n", encoding="utf-8")
    settled.reconcile()
    settled("sources", "accept", "hr", *WHY)
    shown = settled("sources", "list").out
    withdrawn = settled("sources", "withdraw", "hr", *WHY)

    assert "the next read is accepted by olga" in shown
    assert withdrawn.code == 0
    assert settled.reconcile()[0] == 4
    assert settled("sources", "withdraw", "hr", *WHY).code == 64


def test_only_a_read_that_failed_can_be_accepted(quiet: Office) -> None:
    """Of a source that there is; an acceptance in advance would hide what nobody has seen."""
    believed, unknown = (quiet("sources", "accept", name, *WHY) for name in ("hr", "payroll"))

    assert (believed.code, unknown.code) == (64, 64)
    assert "the last read was believed" in believed.err
    assert "there are hr" in unknown.err


def test_a_renamed_column_is_mended_in_the_mapping(settled: Office) -> None:
    """It cannot be accepted, as nothing is read without it; the refusal says what helps."""
    (settled.folder / "hr.csv").write_text("EmployeeID;Team\nE1;Field\n", encoding="utf-8")
    failed, _ = settled.reconcile()
    refused = settled("sources", "accept", "hr", *WHY)

    assert (failed, refused.code) == (4, 64)
    assert 'the mapped column "Department" is absent' in refused.err
    assert "if the column was renamed, write its new name into the mapping" in refused.err
    assert audited(settled) == []


# --- passes ---------------------------------------------------------------------------------


def test_a_pass_is_listed_until_it_expires_or_is_revoked(settled: Office) -> None:
    """With everything that was said when it was granted."""
    granted = settled("passes", "grant", "--scope", "profile:Depot", "--max", "7",
                      "--expires", "90m", *WHY)  # fmt: skip
    listed = settled("passes", "list", "--json").json["passes"][0]
    later = settled("passes", "list", "--json", now="2026-03-02T10:00:00Z").json["passes"][0]
    revoked = settled("passes", "revoke", str(listed["id"]), *WHY)
    again = settled("passes", "revoke", str(listed["id"]), *WHY)

    assert granted.code == 0
    assert listed == {
        "id": listed["id"], "scope": "profile:Depot", "max": 7, "expires": "2026-03-02T09:30:00Z",
        "expired": False, "granted": DAY, "granted_by": "olga", "reason": "works council",
    }  # fmt: skip
    assert later["expired"] is True
    assert (revoked.code, again.code) == (0, 64)
    assert settled("passes", "list").out == "no passes are open\n"
    assert audited(settled) == [
        ("olga", "pass set", "profile:Depot, at most 7: works council"),
        ("olga", "pass withdrawn", "profile:Depot: works council"),
    ]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--scope", "everything"),
        ("--scope", "profile:Nowhere"),
        ("--max", "0"),
        ("--expires", "0h"),
        ("--expires", "soon"),
    ],
)
def test_a_pass_says_plainly_what_it_is_for(quiet: Office, option: str, value: str) -> None:
    """What cannot be meant is refused in one sentence."""
    options = {"--scope": "run", "--max": "3", "--expires": "2h", option: value}
    words = [word for pair in options.items() for word in pair]

    done = quiet("passes", "grant", *words, *WHY)

    assert done.code == 64
    assert len(done.err.splitlines()) == 1
    assert audited(quiet) == []
