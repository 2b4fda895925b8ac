"""
Every setting, with its sentence.

These models judge one value at a time. What only several together can break is
judged in `syncd.config.checks`, so that a first mistake hides no second one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from syncd.config.service import Admin, Daemon, Notification
from syncd.config.signing import (
    Auth,
    Certificate,
    ClientSecret,
    Federated,
    ManagedIdentity,
    NoAuth,
)
from syncd.config.sources import RuleSettings, Source
from syncd.config.usermapping import DeclaredMapping, UserMapping
from syncd.config.values import Duration, File, SecretUrl, StateUrl, Text, WebUrl
from syncd.core.settings import Ownership, Removal, Resolve

__all__ = [
    "Auth",
    "Certificate",
    "ClientSecret",
    "Conflicts",
    "EnvironmentSettings",
    "Federated",
    "Http",
    "KeepDays",
    "Log",
    "ManagedIdentity",
    "NoAuth",
    "PolicySettings",
    "Settings",
    "State",
]

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

Percent = Annotated[float, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Days = Annotated[int, Field(ge=0, le=3650)]
Kept = Annotated[int, Field(ge=1, le=36500)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]


class Log(BaseModel):
    """What the program says about itself while it works, on standard error."""

    model_config = STRICT

    format: Literal["json", "console"] = Field(
        "json", description="One JSON object a line, or text for people."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important lines that are still written."
    )
    personal_data: bool = Field(
        False, description="Whether lines may name people; only for looking into one case."
    )


class KeepDays(BaseModel):
    """How long the state database keeps what is over."""

    model_config = STRICT

    runs: Kept = Field(90, description="Days that a finished run is kept.")
    plans: Kept = Field(30, description="Days that a plan with its changes is kept.")
    audit: Kept = Field(2555, description="Days that the audit log is kept; 2555 are seven years.")


class State(BaseModel):
    """Where syncd remembers pictures, links, plans and the audit log."""

    model_config = STRICT

    url: StateUrl = Field(
        "sqlite:///syncd.db",
        validate_default=True,
        description=(
            "The database: `sqlite:///FILE` beside the configuration file, or "
            "`postgresql+psycopg://…`; with a password only by reference."
        ),
    )
    upgrade: bool = Field(True, description="Bring an older schema up to date on start.")
    keep_days: KeepDays = Field(
        default_factory=KeepDays, description="How long what is over is kept."
    )


class Http(BaseModel):
    """How the environment is talked to."""

    model_config = STRICT

    batch_size: int = Field(100, ge=1, le=1000, description="The most changes in one request.")
    lanes: int = Field(
        0,
        ge=0,
        le=100,
        description="The most requests at a time; 0: what the server hints, more while it pays.",
    )
    page_size: int = Field(5000, ge=1, le=5000, description="Rows in one page that is read.")
    timeout: Duration = Field(
        "60s", validate_default=True, description="How long one answer may take."
    )
    ca_file: File | None = Field(
        None, description="Certificates to trust instead of the usual ones, as PEM."
    )
    proxy: SecretUrl | None = Field(
        None, description="The proxy's address; with a password only by reference."
    )


class Failures(BaseModel):
    """What happens to a change that fails."""

    model_config = STRICT

    retry: tuple[Duration, ...] = Field(
        ("15m", "1h", "6h", "24h"),
        validate_default=True,
        strict=False,
        description="Waiting times between tries; after the last one daily.",
    )
    dead_letter: Duration = Field(
        "7d", validate_default=True, description="After this long a person must look."
    )
    quarantine_percent: Percent = Field(
        20, description="If more of a run's changes than this share fail, nearly all wait."
    )
    quarantine_floor: Count = Field(25, description="Fewer failures than this never do that.")


class GraceSettings(BaseModel):
    """Days between deciding that a row goes and removing it."""

    model_config = STRICT

    left: Days = Field(0, description="Days for people who left.")
    out_of_scope: Days = Field(0, description="Days for people whom no rule matches any more.")
    vanished: Days = Field(
        0, description="Days for people whom no source shows any more, from the second sighting on."
    )
    user_disabled: Days = Field(0, description="Days for people whose user is disabled.")


class Conflicts(BaseModel):
    """What is done about users with more than one row."""

    model_config = STRICT

    flag: bool = Field(
        True, description="Write the server's conflict flag on conflicts that stay open."
    )
    resolve: Annotated[Resolve, Field(strict=False)] = Field(
        Resolve.AUTO, description="Settle conflicts by rule, or leave them to an operator."
    )
    clear_stale_flags: bool = Field(
        True, description="Clear flags on rows of ours that nothing explains."
    )


class LimitSettings(BaseModel):
    """How much one run may change: max(floor, min(absolute, percent of the base))."""

    model_config = STRICT

    percent: Percent = Field(10, description="Percent of the active rows that are ours.")
    absolute: Count = Field(200, description="Never more than this, however many rows there are.")
    floor: Count = Field(5, description="Always this many, however few rows there are.")


class Gates(BaseModel):
    """What one run may change before somebody has to look."""

    model_config = STRICT

    removals: LimitSettings = Field(
        default_factory=LimitSettings, description="For removals and moves."
    )
    creates: LimitSettings | None = Field(
        None, description="For creates and reactivations; without this table there is no such gate."
    )


class CertificateSettings(BaseModel):
    """When a full read of a source is believed."""

    model_config = STRICT

    max_shrink_percent: Percent = Field(
        20, description="How much smaller than the last certified read it may be."
    )
    min_rows: Count = Field(1, description="How many rows it must have; none is never enough.")
    canaries: tuple[Text, ...] = Field(
        (), strict=False, description="Keys that at least one source must show."
    )


class PolicySettings(BaseModel):
    """What syncd may do. `[environments.NAME.policy]` overrides it key by key."""

    model_config = STRICT

    ownership: Annotated[Ownership, Field(strict=False)] = Field(
        Ownership.ADOPT, description="Change rows of ours only, or all rows of managed profiles."
    )
    remove: Annotated[Removal, Field(strict=False)] = Field(
        Removal.DELETE, description="What a removal does to a row."
    )
    protected_users: tuple[Text, ...] = Field(
        (), strict=False, description="User names or object ids that are never changed."
    )
    match: tuple[Literal["object_id", "employee_id", "user_name", "mail", "usermapping"], ...] = (
        Field(
            ("object_id", "employee_id", "user_name", "mail"),
            strict=False,
            min_length=1,
            description="By what a person's user is found, in this order.",
        )
    )
    lead_days: Days = Field(0, description="A joiner counts this many days before the first day.")
    failures: Failures = Field(
        default_factory=Failures, description="What happens to changes that fail."
    )
    grace: GraceSettings = Field(default_factory=GraceSettings, description="Days before removals.")
    conflicts: Conflicts = Field(
        default_factory=Conflicts, description="Users with more than one row."
    )
    gates: Gates = Field(default_factory=Gates, description="How much one run may change.")
    certificate: CertificateSettings = Field(
        default_factory=CertificateSettings, description="Reads that may be believed."
    )


class EnvironmentSettings(BaseModel):
    """One Dataverse environment; its name is what commands and reports call it."""

    model_config = STRICT

    url: WebUrl = Field(description="The environment's address, without `/api/data/v9.2/`.")
    auth: Annotated[Auth, Field(discriminator="method")] = Field(description="How syncd signs in.")
    http: Http = Field(default_factory=Http, description="How the environment is talked to.")
    policy: PolicySettings | None = Field(
        None, description="What differs from `[policy]` here, key by key."
    )


class Settings(BaseModel):
    """The configuration of syncd."""

    model_config = STRICT

    log: Log = Field(default_factory=Log, description="What the program says about itself.")
    state: State = Field(
        default_factory=State, description="Where syncd remembers.", validate_default=True
    )
    environments: dict[Name, EnvironmentSettings] = Field(
        min_length=1, description="The Dataverse environments, by name."
    )
    policy: PolicySettings = Field(default_factory=PolicySettings, description="What syncd may do.")
    sources: tuple[Source, ...] = Field(
        strict=False, min_length=1, description="Where people come from."
    )
    rules: tuple[RuleSettings, ...] = Field(
        strict=False,
        min_length=1,
        description="Who gets which profile; the first that matches decides.",
    )
    usermapping: UserMapping = Field(
        default_factory=UserMapping, description="How the table `usermapping` is dealt with."
    )
    usermappings: tuple[DeclaredMapping, ...] = Field(
        (), strict=False, description="Rows of `usermapping` as they shall be."
    )
    daemon: Daemon = Field(default_factory=Daemon, description="When the daemon does what.")
    admin: Admin = Field(default_factory=Admin, description="The daemon's own web server.")
    notifications: tuple[Notification, ...] = Field(
        (), strict=False, description="Whom the daemon tells what."
    )
