"""
The Dataverse environment as a target.

    target ── reads ─────┐
       └── delivery ─────┼── http.Channel ── throttle
             ├ rounds    │
             ├ writes ── batch
             └ faults
"""

from syncd.connectors.dataverse.target import DataverseTarget, open_target

__all__ = ["DataverseTarget", "open_target"]
