"""Single questions to an environment, whose answer may be that it is not ours to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import msgspec

from syncd.connectors.dataverse.answers import decoded
from syncd.connectors.http import Channel
from syncd.core.errors import TargetError, TargetIncomplete, TargetRefused
from syncd.core.preflight import Trouble

__all__ = ["NAMES", "Asking", "document", "rows"]

Answer = TypeVar("Answer")
NAMES = {"Prefer": 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"'}
"""With it, lookups and choices come with what people call them (section 1.2)."""
Rows = list[dict[str, Any]]


class _Rows(msgspec.Struct):
    value: Rows


document = msgspec.json.Decoder(dict[str, Any]).decode
_rows = msgspec.json.Decoder(_Rows).decode


def rows(content: bytes) -> Rows:
    """Decode the rows of one page."""
    return _rows(content).value


@dataclass(slots=True)
class Asking:
    """
    Ask one thing after the other; what is refused does not end it.

    `broken` is why the environment was lost on the way: from then on nothing more is sent,
    because each question would wait as long again.
    """

    channel: Channel
    broken: str | None = None

    def ask(
        self,
        query: str,
        what: str,
        decode: Callable[[bytes], Answer],
        headers: dict[str, str] | None = None,
    ) -> Answer | Trouble:
        """Return the answer to a GET below the root, or why there is none. Raises Stopped."""
        if self.broken is not None:
            return Trouble("not looked at: the environment was lost before")
        status = 0
        try:
            response = self.channel.get(self.channel.root + query, headers)
            status = response.status_code
            return decoded(self.channel, response, what, decode)
        except (TargetRefused, TargetIncomplete) as error:
            return Trouble(str(error), absent=status == 404)
        except TargetError as error:
            self.broken = str(error)
            return Trouble(str(error))

    def first(self, query: str) -> httpx.Response | tuple[str, Trouble]:
        """Return the first answer of all, or the check that it fails and why. Raises Stopped."""
        try:
            return self.channel.get(self.channel.root + query)
        except TargetRefused as error:
            return "sign-in", Trouble(str(error))
        except TargetError as error:
            return "connection", Trouble(str(error))
