"""A Dataverse to try things on: in memory or in a file, for demos and tests."""

from __future__ import annotations

from syncd.sandbox.answers import Answer
from syncd.sandbox.client import run_dump
from syncd.sandbox.commands import run_serve
from syncd.sandbox.company import make_company
from syncd.sandbox.dataverse import Sandbox
from syncd.sandbox.errors import SandboxError
from syncd.sandbox.faults import Fault, FaultKind
from syncd.sandbox.protection import Limits
from syncd.sandbox.seed import move_in, run_seed
from syncd.sandbox.server import Running
from syncd.sandbox.store import Store
from syncd.sandbox.tokens import Application

__all__ = [
    "Answer",
    "Application",
    "Fault",
    "FaultKind",
    "Limits",
    "Running",
    "Sandbox",
    "SandboxError",
    "Store",
    "make_company",
    "move_in",
    "run_dump",
    "run_seed",
    "run_serve",
]
