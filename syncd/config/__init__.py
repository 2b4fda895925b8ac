"""
Settings, frozen and strict.

    file + environment + secret files ── load ──> Config ──> core values
                                           │
                                           └──> ConfigError, every problem at once
"""

from __future__ import annotations

from syncd.config.graph import GraphSource
from syncd.config.ldap import LdapSource
from syncd.config.load import json_schema, load
from syncd.config.loaded import Config, Environment
from syncd.config.models import (
    Auth,
    ClientSecret,
    Http,
    Log,
    NoAuth,
    PolicySettings,
    Settings,
    State,
)
from syncd.config.sources import CsvSource, JsonlSource, ReadableSource
from syncd.config.sql import SqlSource

__all__ = [
    "Auth",
    "ClientSecret",
    "Config",
    "CsvSource",
    "Environment",
    "GraphSource",
    "Http",
    "JsonlSource",
    "LdapSource",
    "Log",
    "NoAuth",
    "PolicySettings",
    "ReadableSource",
    "Settings",
    "SqlSource",
    "State",
    "json_schema",
    "load",
]
