"""What holds of all configurations: every mistake is reported, and variables are like the file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.errors import ConfigError
from tests.config.files import ENVIRON, FOLDER, problems, read, small

Document = dict[str, Any]


def _misspelt(document: Document) -> str:
    document.setdefault("policy", {})["leed_days"] = 3
    return "policy.leed_days: "


def _impossible(document: Document) -> str:
    document.setdefault("policy", {}).setdefault("grace", {})["left"] = -1
    return "policy.grace.left: "


def _both(document: Document) -> str:
    document["rules"][0]["profile_from"] = "department"
    return "rules.0: "


def _elsewhere(document: Document) -> str:
    document["environments"]["contoso"]["url"] = "https://contoso.crm4.dynamics.com"
    return "environments.contoso.auth.method: "


def _unmapped(document: Document) -> str:
    document["rules"][0]["when"] = 'person.nope == "x"'
    return "rules.0.when: "


def _doubled(document: Document) -> str:
    document["sources"].append({"name": "hr", "type": "jsonl", "path": "x", "person": {"key": "k"}})
    return "sources.1.name: "


def _literal(document: Document) -> str:
    document["admin"] = {"token": "hunter2"}
    return "admin.token: "


def _unknown(document: Document) -> str:
    document["sources"][0]["typ"] = "csv"
    return "sources.0.typ: "


PLANTED: list[Callable[[Document], str]] = [
    _misspelt,
    _impossible,
    _both,
    _elsewhere,
    _unmapped,
    _doubled,
    _literal,
    _unknown,
]


@given(st.lists(st.sampled_from(PLANTED), unique=True, min_size=1, max_size=5))
def test_every_mistake_is_reported_at_once(mistakes: list[Callable[[Document], str]]) -> None:
    """None hides another, and nothing else is blamed."""
    document = small()
    expected = sorted(f"syncd.toml: {plant(document)}" for plant in mistakes)

    with TemporaryDirectory() as folder:
        found = sorted(problems(Path(folder), document))

    assert len(found) == len(expected)
    assert all(each.startswith(place) for each, place in zip(found, expected, strict=True))


WHOLE = FOLDER / "reference.toml"
ODD = st.one_of(
    st.sampled_from(["", "x", "hunter2", True, 0, -1, 1.5, [], {}, [{}], {"env": "NOPE"}]),
    st.dates(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["type", "name", "column", "x"]), st.integers(), max_size=2),
)


def _places(value: object, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        inner = enumerate(value)
    return [place, *(each for key, below in inner for each in _places(below, (*place, key)))]


@given(st.data())
def test_whatever_stands_in_a_file_is_taken_or_refused_in_sentences(data: st.DataObject) -> None:
    """No value in any place breaks the program, and a wrong secret is not repeated."""
    document = tomllib.loads(WHOLE.read_text(encoding="utf-8"))
    for place in data.draw(
        st.lists(st.sampled_from(_places(document)[1:]), min_size=1, max_size=2)
    ):
        with suppress(
            KeyError, IndexError, TypeError
        ):  # the first change may have removed the place
            document = _with(document, place, data.draw(ODD))

    with TemporaryDirectory() as folder:
        try:
            found = read(Path(folder), document, **ENVIRON).warnings
        except ConfigError as error:
            found = error.problems

    assert all("syncd.toml: " in each and "\n" not in each for each in found)


days = st.integers(0, 3650)
percents = st.floats(0, 100, allow_nan=False)
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20
).filter(lambda text: bool(text.strip()))
SETTINGS: list[tuple[tuple[str | int, ...], st.SearchStrategy[object]]] = [
    (("policy", "lead_days"), days),
    (("policy", "grace", "vanished"), days),
    (("policy", "gates", "creates", "percent"), percents),
    (("policy", "certificate", "min_rows"), st.integers(0, 1_000_000)),
    (("policy", "ownership"), st.sampled_from(["adopt", "exclusive"])),
    (("policy", "conflicts", "flag"), st.booleans()),
    (("policy", "failures", "dead_letter"), st.integers(1, 90).map(lambda n: f"{n}d")),
    (("environments", "contoso", "http", "batch_size"), st.integers(1, 1000)),
    (("environments", "contoso", "policy", "remove"), st.sampled_from(["delete", "deactivate"])),
    (("sources", 0, "delimiter"), st.sampled_from([",", ";", "\t", "auto"])),
    (("sources", 0, "name"), texts),
    (("sources", 0, "person", "key", "column"), texts),
    (("rules", 0, "profile"), texts),
    (("state", "url"), st.sampled_from(["sqlite:///a.db", "postgresql+psycopg://db/syncd"])),
    (("daemon", "delta"), st.sampled_from(["5m", "*/5 * * * *"])),
]


@given(st.data())
def test_a_variable_is_like_the_same_value_in_the_file(data: st.DataObject) -> None:
    """For every type of setting, with the table in the file and without."""
    place, values = data.draw(st.sampled_from(SETTINGS))
    value = data.draw(values)
    variable = "SYNCD_" + "__".join(str(each) for each in place).upper()
    text = str(value).lower() if isinstance(value, bool) else str(value)

    with TemporaryDirectory() as folder:
        overridden = read(Path(folder), small(), **{variable: text})
        written = read(Path(folder), _with(small(), place, value))

    assert overridden.effective() == written.effective()
    assert overridden.digest == written.digest


def _with(document: Document, place: tuple[str | int, ...], value: object) -> Document:
    table: Any = document
    for key in place[:-1]:
        if isinstance(table, dict):
            inner = table.setdefault(key, {})
            table[key] = {"column": inner} if isinstance(inner, str) else inner
        table = table[key]
    table[place[-1]] = value
    return document
