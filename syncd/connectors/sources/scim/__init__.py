"""
People on a SCIM 2.0 server (RFC 7643, RFC 7644, RFC 9865).

    source      a read: everything, or what changed
    listing     one list of resources, page by page, and whether all of it came
    membership  which groups have whom, also through other groups
"""

from syncd.connectors.sources.scim.source import ScimSource, open_scim

__all__ = ["ScimSource", "open_scim"]
