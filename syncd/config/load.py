"""From a file, the environment and files of secrets to a configuration."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from syncd.config import checks, overrides
from syncd.config.expressions import Expression, ExpressionError, compile_rule
from syncd.config.loaded import Config
from syncd.config.models import Settings
from syncd.config.problems import Place, Problem, dotted, problems
from syncd.config.sources import RuleSettings
from syncd.config.values import Surroundings
from syncd.core.errors import ConfigError
from syncd.core.rules import Rule

__all__ = ["json_schema", "load"]


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """
    Read a configuration; variables of *environ* override and complete it.

    Raises ConfigError with every problem, each with the file and the dotted path.
    """
    raw, origins, found = overrides.apply(_document(path), environ)
    raw.setdefault("state", {})
    folder = path.absolute().parent
    settings, wrong = _settings(raw, Surroundings(environ, folder))
    expressions, unusable = _expressions(raw)
    found += [*wrong, *checks.problems(raw), *unusable]
    if settings is None or found:
        raise ConfigError([_line(each, path, origins) for each in found])
    warned = [*checks.warnings(raw), *_warnings(expressions)]
    return Config(
        file=path,
        folder=folder,
        settings=settings,
        sources=settings.sources,
        all_rules=tuple(
            _rule(written, expressions[index]) for index, written in enumerate(settings.rules)
        ),
        warnings=tuple(_line(each, path, origins) for each in warned),
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a configuration file, for editors."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {**head, **Settings.model_json_schema(by_alias=True), "title": "syncd"}


def _document(path: Path) -> dict[str, Any]:
    """Read the file as TOML. Raises ConfigError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError([f"{path}: there is no such file; name one with -c FILE"]) from None
    except IsADirectoryError:
        raise ConfigError([f"{path}: is a folder; name the file in it"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 from byte {error.start} on"]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ConfigError([f"{path}: cannot be read: {reason}"]) from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: {_syntax(str(error), text)}"]) from None
    except RecursionError:
        raise ConfigError([f"{path}: its lists are nested too deep"]) from None
    except ValueError:
        raise ConfigError([f"{path}: a number in it has too many digits"]) from None


def _syntax(message: str, text: str) -> str:
    """Say where the TOML breaks, with line and column also at the end of the file."""
    found = re.fullmatch(r"(.*?) \(at (?:line (\d+), column (\d+)|end of document)\)", message)
    if found is None:
        return f"is not TOML: {message}"
    lines = text.splitlines() or [""]
    line, column = found[2] or len(lines), found[3] or len(lines[-1]) + 1
    return f"line {line}, column {column}: is not TOML: {found[1]}"


def _settings(raw: dict[str, Any], around: Surroundings) -> tuple[Settings | None, list[Problem]]:
    try:
        return Settings.model_validate(raw, context=around), []
    except ValidationError as error:
        return None, problems(error.errors(include_url=False), raw)


def _expressions(raw: dict[str, Any]) -> tuple[dict[int, Expression], list[Problem]]:
    """Compile the conditions of all rules, also where something else is wrong."""
    compiled: dict[int, Expression] = {}
    found: list[Problem] = []
    types = checks.attribute_types(raw)
    rules = raw.get("rules")
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        when = rule.get("when") if isinstance(rule, dict) else None
        if not isinstance(when, str) or not when.strip():
            continue
        try:
            compiled[index] = compile_rule(when, types)
        except ExpressionError as error:
            found.append(Problem(("rules", index, "when"), f"the expression {error}"))
    return compiled, found


def _warnings(expressions: Mapping[int, Expression]) -> list[Problem]:
    return [
        Problem(("rules", index, "when"), says)
        for index, expression in expressions.items()
        for says in expression.warnings
    ]


def _rule(written: RuleSettings, expression: Expression) -> Rule:
    reads = expression.reads
    if written.profile_from is not None:
        reads |= {written.profile_from}
    return Rule(
        name=written.name,
        when=expression.when,
        profile=written.profile,
        profile_from=written.profile_from,
        reads=reads,
        reads_today=expression.reads_today,
    )


def _line(problem: Problem, path: Path, origins: Mapping[Place, str]) -> str:
    """Write a problem with its file, or with the variable that overrides it."""
    if len(problem.place) == 1 and str(problem.place[0]).upper().startswith(overrides.PREFIX):
        return f"{problem.place[0]}: {problem.says}"
    variable = origins.get(problem.place)
    origin = f"{path}: {variable}" if variable else str(path)
    return f"{origin}: {dotted(problem.place)}: {problem.says}"
