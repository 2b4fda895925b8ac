"""
Entra ID as a source, through Microsoft Graph.

    source ──┬── columns   which properties, and from a user to a row
             ├── arrivals  objects as pages bring them, and the last word on each
             ├── groups    who is in which of some groups, also through others
             ├── changes   users that changed, or whose memberships did
             └── way       one host: patience, $batch, and what its refusals mean
"""

from syncd.connectors.sources.graph.source import GraphSource, open_graph
from syncd.connectors.sources.graph.way import Site

__all__ = ["GraphSource", "Site", "open_graph"]
