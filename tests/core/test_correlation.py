"""Who is whose user, and when nothing is guessed (behaviour.md section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.correlation import Claim, Claimant, contend, find
from syncd.core.model import Finding, Presence, Rung
from syncd.core.settings import Policy

HAND, OID, EID, UPN, MAPPING, MAIL = Rung
LADDER = Policy().match
LINKED, DECIDED, NONE, AMBIGUOUS, ALREADY = Finding
Hits = Mapping[Rung, tuple[str, ...]]


def look(hits: Hits, ladder: tuple[Rung, ...] = LADDER, **more: Any) -> tuple[Finding, str | None]:
    """Look for the user of one person: what was found, and whom."""
    claim = find(Claimant("E1", hits, **more), ladder)
    return claim.finding, claim.user


@pytest.mark.parametrize(
    ("hits", "expected", "rung"),
    [
        ({}, (NONE, None), None),
        ({OID: ("a",)}, (DECIDED, "a"), OID),
        ({EID: ("a",)}, (DECIDED, "a"), EID),
        ({UPN: ("a",)}, (DECIDED, "a"), UPN),
        ({MAIL: ("a",)}, (DECIDED, "a"), MAIL),
        ({OID: (), UPN: ("a",)}, (DECIDED, "a"), UPN),
        ({OID: ("a",), EID: ("a",), UPN: ("a",), MAIL: ("a",)}, (DECIDED, "a"), OID),
        ({UPN: ("a",), MAIL: ("b",)}, (DECIDED, "a"), UPN),
        ({OID: ("a",), EID: ("b", "c")}, (DECIDED, "a"), OID),
    ],
)
def test_the_first_rung_that_answers_decides(
    hits: Hits, expected: tuple[Finding, str | None], rung: Rung | None
) -> None:
    """Section 3: a rung without a candidate is passed over; a differing mail is only a note."""
    assert look(hits) == expected
    assert find(Claimant("E1", hits), LADDER).rung == rung


@pytest.mark.parametrize(
    "hits",
    [
        {OID: ("a", "b")},
        {MAIL: ("a", "b")},
        {OID: ("a", "b"), EID: ("a",)},
        {OID: ("a",), EID: ("b",)},
        {OID: ("a",), UPN: ("b",)},
        {EID: ("a",), UPN: ("b",), MAIL: ("a",)},
        {OID: ("a",), EID: ("a",), UPN: ("b",)},
    ],
)
def test_nothing_is_guessed(hits: Hits) -> None:
    """Section 3: two candidates on the deciding rung, or a lower one that finds one other."""
    finding, _ = look(hits)

    assert finding is AMBIGUOUS


def test_the_rungs_are_tried_in_the_order_of_the_policy() -> None:
    """Section 3: policy.match says in which order, and which at all."""
    hits: Hits = {OID: ("a",), MAIL: ("b",)}

    assert look(hits, (MAIL,)) == (DECIDED, "b")
    assert look(hits, (MAIL, OID)) == (AMBIGUOUS, "b")
    assert look(hits, (EID,)) == (NONE, None)


# --- links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rung", list(LADDER))
def test_a_link_stands_whatever_was_renamed(rung: Rung) -> None:
    """Section 3: renames do not matter; nobody needs to answer any more."""
    assert look({}, link=("a", rung)) == (LINKED, "a")


@pytest.mark.parametrize("other", list(LADDER))
@pytest.mark.parametrize("made_by", list(LADDER))
def test_a_link_is_contradicted_from_above(made_by: Rung, other: Rung) -> None:
    """Section 3: by a rung above the one that made it; by its own if that is one of two ids."""
    above = LADDER.index(other) < LADDER.index(made_by)
    own = other is made_by and made_by in {OID, EID}

    finding, user = look({other: ("b",)}, link=("a", made_by))

    assert (finding, user) == (AMBIGUOUS if above or own else LINKED, "a")


@pytest.mark.parametrize("users", [("a",), ("a", "b"), ("b", "c"), ()])
def test_only_exactly_one_other_candidate_contradicts(users: tuple[str, ...]) -> None:
    """Section 3: several candidates, or the same one, do not."""
    assert look({OID: users}, link=("a", MAIL)) == (LINKED, "a")


def test_a_link_set_by_hand_stands_above_every_rung() -> None:
    """Section 11: and it is reported when an object id contradicts it."""
    against = find(Claimant("E1", {OID: ("b",)}, link=("a", HAND)), LADDER)
    quiet = find(Claimant("E1", {EID: ("b",), UPN: ("b",)}, link=("a", HAND)), LADDER)

    assert (against.finding, against.user, bool(against.detail)) == (LINKED, "a", True)
    assert (quiet.finding, quiet.user, bool(quiet.detail)) == (LINKED, "a", False)


def test_a_doubled_key_takes_part_by_its_link_alone() -> None:
    """Section 3: the row takes no part, a link of its person does."""
    hits: Hits = {OID: ("b",)}

    assert look(hits, mute=True) == (NONE, None)
    assert look(hits, mute=True, link=("a", MAIL)) == (LINKED, "a")


def test_everyone_whom_a_person_finds_is_explained() -> None:
    """Section 3: by whom it is linked to, and on any rung, with any of its rows."""
    claimant = Claimant("E1", {OID: ("b",), MAIL: ("c", "d")}, link=("a", MAIL), mute=True)

    assert claimant.everyone == {"a", "b", "c", "d"}


# --- several people, one user --------------------------------------------------------------------


def settle(*people: Claimant) -> dict[str, tuple[Finding, str | None]]:
    """Let people contend for the user u."""
    claims = contend([find(person, LADDER) for person in people])
    return {claim.claimant.person: (claim.finding, claim.user) for claim in claims}


def claimant(person: str, **more: Any) -> Claimant:
    """Describe a person who finds the user u, by mail unless told otherwise."""
    hits: Hits = {more.pop("rung", MAIL): ("u",)}
    return Claimant(person, hits, **more)


def holder(person: str, rung: Rung = EID, **more: Any) -> Claimant:
    """Describe a person who is linked to the user u."""
    return Claimant(person, {}, link=("u", rung), **more)


def leaver(person: str, **more: Any) -> Claimant:
    """Describe a holder who left."""
    return holder(person, presence=Presence.LEFT, leaving=True, **more)


NOBODY, UNCLEAR, TAKEN = (NONE, None), (AMBIGUOUS, "u"), (ALREADY, "u")
HOLDS, GETS = (LINKED, "u"), (DECIDED, "u")


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        ([claimant("A", wanted=True), claimant("B", wanted=True)], [UNCLEAR, UNCLEAR]),
        ([claimant("A", wanted=True, rung=OID), claimant("B", wanted=True)], [UNCLEAR, UNCLEAR]),
        ([claimant("A", wanted=True), claimant("B")], [GETS, NOBODY]),
        ([claimant("A", held=True), claimant("B")], [GETS, NOBODY]),
        ([claimant("A", held=True), claimant("B", wanted=True)], [UNCLEAR, UNCLEAR]),
        ([claimant("A"), claimant("B")], [UNCLEAR, UNCLEAR]),
        (
            [claimant("A", wanted=True), claimant("B", wanted=True), claimant("C")],
            [UNCLEAR, UNCLEAR, NOBODY],
        ),
        ([holder("A", wanted=True), claimant("B", wanted=True)], [HOLDS, TAKEN]),
        ([holder("A", wanted=True), claimant("B")], [HOLDS, NOBODY]),
        ([holder("A"), claimant("B", wanted=True)], [HOLDS, TAKEN]),
        ([holder("A"), claimant("B", held=True)], [HOLDS, TAKEN]),
        ([leaver("A"), claimant("B", wanted=True)], [NOBODY, HOLDS]),
        ([leaver("A", rung=HAND), claimant("B", wanted=True)], [NOBODY, HOLDS]),
        ([leaver("A", rung=HAND), holder("B", wanted=True)], [NOBODY, HOLDS]),
        ([leaver("A", rung=HAND), holder("B")], [HOLDS, UNCLEAR]),
        ([leaver("A"), claimant("B")], [HOLDS, NOBODY]),
        ([leaver("A"), claimant("B", held=True)], [HOLDS, TAKEN]),
        (
            [leaver("A"), claimant("B", wanted=True), claimant("C", wanted=True)],
            [HOLDS, TAKEN, TAKEN],
        ),
        (
            [leaver("A"), claimant("B", wanted=True), claimant("C", held=True)],
            [NOBODY, HOLDS, TAKEN],
        ),
        ([holder("A", presence=Presence.GONE), claimant("B", wanted=True)], [HOLDS, TAKEN]),
        ([leaver("A", held=True), claimant("B", wanted=True)], [HOLDS, TAKEN]),
        ([leaver("A", protected=True), claimant("B", wanted=True)], [HOLDS, TAKEN]),
        ([leaver("A", shielded=frozenset("u")), claimant("B", wanted=True)], [HOLDS, TAKEN]),
        ([leaver("A", shielded=frozenset("v")), claimant("B", wanted=True)], [NOBODY, HOLDS]),
        ([holder("A"), holder("B", HAND)], [UNCLEAR, HOLDS]),
    ],
    ids=[
        "two wanted",
        "a better rung is no better claim",
        "the unwanted give way",
        "to the held, too",
        "held and wanted",
        "nobody to give way to",
        "the third gives way",
        "the holder stands",
        "the unwanted give way to a holder",
        "a holder out of scope stands",
        "the held do not give way",
        "a link passes from who left",
        "also one that was set by hand",
        "and to whom it kept from an older link",
        "who is not wanted gets none",
        "but not to the unwanted",
        "nor to the held",
        "nor to one of several",
        "exactly one of the others is wanted",
        "who vanished once still holds",
        "who is held is not judged as left",
        "nor who is protected",
        "nor whose user is",
        "but whoever only finds somebody protected",
        "an operator's word stands above a link",
    ],
)
def test_one_user_has_one_person(
    people: list[Claimant], expected: list[tuple[Finding, str | None]]
) -> None:
    """Section 3: when several people's deciding rungs, or links, name one user."""
    assert settle(*people) == dict(zip("ABC", expected, strict=False))
    assert settle(*people[::-1]) == settle(*people)


def test_a_link_that_passes_names_whom_it_came_from() -> None:
    """Section 3: the link and its row pass; a new key must not cost anybody the row."""
    claims = contend([find(p, LADDER) for p in (leaver("A"), claimant("B", wanted=True))])

    assert {claim.claimant.person: claim.passed_from for claim in claims} == {"A": None, "B": "A"}


def test_a_contradicted_holder_keeps_the_others_out() -> None:
    """Section 3: the person is AMBIGUOUS, the link stays."""
    torn = Claimant("A", {OID: ("v",)}, link=("u", MAIL), wanted=True)

    assert settle(torn, claimant("B", wanted=True)) == {"A": UNCLEAR, "B": TAKEN}


def test_a_contradicted_holder_who_left_keeps_the_link_too() -> None:
    """Section 4: AMBIGUOUS is judged before LEFT, and only a holder who is LEFT passes the link."""
    torn = Claimant("A", {OID: ("v",)}, link=("u", MAIL), presence=Presence.LEFT, leaving=True)

    assert settle(torn, claimant("B", wanted=True)) == {"A": UNCLEAR, "B": TAKEN}


CLAIMS = st.builds(
    Claimant,
    st.sampled_from("ABCDE"),
    st.dictionaries(st.sampled_from(LADDER), st.sampled_from([("u",), ("u",), ("v",)])),
    link=st.sampled_from([None, None, ("u", OID), ("u", MAIL), ("u", HAND)]),
    wanted=st.booleans(),
    held=st.booleans(),
    leaving=st.booleans(),
).map(lambda person: find(person, LADDER))


@given(
    st.lists(CLAIMS, min_size=2, unique_by=lambda claim: claim.claimant.person).map(
        lambda claims: [claim for claim in claims if claim.user == "u"]
    ),
    st.randoms(use_true_random=False),
)
def test_whoever_contends_one_user_has_at_most_one_person(claims: list[Claim], random: Any) -> None:
    """Section 3: nobody is lost, and the result does not depend on who was read first."""
    shuffled = claims.copy()
    random.shuffle(shuffled)

    settled = contend(claims)

    has = [claim for claim in settled if claim.finding in {LINKED, DECIDED}]
    assert len(has) <= 1
    assert {c.claimant.person for c in settled} == {c.claimant.person for c in claims}
    assert len(settled) == len(claims)
    assert {c.claimant.person: c for c in contend(shuffled)} == {
        c.claimant.person: c for c in settled
    }
