"""Settings of what a read of one source is compared with."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from syncd.config.person import STRICT
from syncd.config.values import Text
from syncd.core.bands import KEPT
from syncd.core.settings import SourceLimits

__all__ = ["COMPARED", "SourceCertificate", "limits"]

COMPARED = "What its reads are compared with beside their size."

Percent = Annotated[float, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


class SourceCertificate(BaseModel):
    """
    What a read of this source is compared with, beside what `[policy.certificate]` asks of all.

    The size of a group is compared with the median of the last certified full reads, at
    most nine. A read that is accepted (`syncd sources accept`) is what is usual from then on.
    """

    model_config = STRICT

    bands: tuple[Text, ...] = Field(
        (),
        strict=False,
        description="Attributes whose groups are compared, such as `department`; also `enabled`.",
    )
    max_group_shrink_percent: Percent = Field(
        40, description="How much smaller than usual a group may be."
    )
    max_group_growth_percent: float | None = Field(
        None, ge=0, le=1_000_000, description="How much larger it may be; not limited unless given."
    )
    smallest_group: Count = Field(
        20, description="Groups that usually have fewer people are not judged."
    )
    learn: int = Field(
        5,
        ge=1,
        le=KEPT,
        description="After how many certified full reads groups are judged; before it is learning.",
    )
    max_new_percent: Percent = Field(
        50, description="How many of the keys may be ones that no certified read has shown."
    )
    new_floor: Count = Field(100, description="Fewer new keys than this are always all right.")

    def limits(self) -> SourceLimits:
        """Return these settings in the core's terms."""
        return SourceLimits(**dict(self))


def limits(written: SourceCertificate | None) -> SourceLimits:
    """Return what holds for a source; the defaults where nothing is written."""
    return (written or SourceCertificate()).limits()
