"""Settings of how a person is read from the columns of a source."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from syncd.config.values import Text
from syncd.core.mapping import Field as Cell
from syncd.core.mapping import PersonMapping, Type

__all__ = ["STRICT", "FieldSettings", "PersonSettings"]

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _shorthand(value: object) -> object:
    """Let a column's name alone stand for the table that names only a column."""
    return {"column": value} if isinstance(value, str) else value


def _format(text: str) -> str:
    """Require that a date written in this format can be read back."""
    sample = datetime(2026, 3, 14, tzinfo=UTC)
    try:
        whole = datetime.strptime(sample.strftime(text), text).date() == sample.date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        whole = False
    if not whole:
        raise ValueError('does not name year, month and day, such as "%d.%m.%Y"')
    return text


class FieldSettings(BaseModel):
    """A column of the source, and how its cells are read. A text alone is the column's name."""

    model_config = STRICT

    column: Text = Field(description="The column's name.")
    type: Literal["text", "int", "float", "bool", "date"] | None = Field(
        None, description="What a cell holds: text unless the place says otherwise."
    )
    format: Annotated[str, AfterValidator(_format)] | None = Field(
        None, description="How a date is written; `%Y-%m-%d` unless given."
    )
    split: str | None = Field(
        None, min_length=1, description="What stands between the entries of a list."
    )
    true_values: tuple[Text, ...] | None = Field(
        None, strict=False, min_length=1, description="The texts that are true; any other is false."
    )
    default: str | int | float | bool | date | None = Field(
        None, description="What an empty cell stands for; nothing unless given."
    )

    def cell(self, usual: Type = Type.TEXT) -> Cell:
        """Return how cells are read; *usual* is the type where none is given."""
        return Cell(
            column=self.column,
            type=usual if self.type is None else Type(self.type),
            format=self.format,
            split=self.split,
            true_values=self.true_values,
            default=self._written_default(),
        )

    def _written_default(self) -> str | None:
        """Write the default as a cell would have it."""
        match self.default:
            case None | str():
                return self.default
            case bool():
                true = self.true_values[0] if self.true_values else "true"
                return true if self.default else "false"
            case date():
                return self.default.strftime(self.format or "%Y-%m-%d")
        return str(self.default)


Mapped = Annotated[
    FieldSettings, BeforeValidator(_shorthand, json_schema_input_type=str | FieldSettings)
]


class PersonSettings(BaseModel):
    """Which columns describe a person."""

    model_config = STRICT

    key: Mapped = Field(description="Text that never changes for a person.")
    object_id: Mapped | None = Field(None, description="The person's object id in the directory.")
    employee_id: Mapped | None = Field(None, description="The person's employee id.")
    user_name: Mapped | None = Field(None, description="The person's sign-in name.")
    mail: Mapped | None = Field(None, description="The person's mail address.")
    enabled: Mapped | None = Field(None, description="Whether the person is active; a bool.")
    starts_on: Mapped | None = Field(None, description="The first day; a date.")
    leaves_on: Mapped | None = Field(None, description="The last day that still counts; a date.")
    attributes: dict[Annotated[str, Field(min_length=1)], Mapped] = Field(
        default_factory=dict, description="What rules may ask for, by name."
    )

    def mapping(self) -> PersonMapping:
        """Return which column says what about a person."""
        return PersonMapping(
            key=self.key.cell(),
            object_id=_cell(self.object_id),
            employee_id=_cell(self.employee_id),
            user_name=_cell(self.user_name),
            mail=_cell(self.mail),
            enabled=_cell(self.enabled, Type.BOOL),
            starts_on=_cell(self.starts_on, Type.DATE),
            leaves_on=_cell(self.leaves_on, Type.DATE),
            attributes={name: each.cell() for name, each in self.attributes.items()},
        )


def _cell(field: FieldSettings | None, usual: Type = Type.TEXT) -> Cell | None:
    return None if field is None else field.cell(usual)
