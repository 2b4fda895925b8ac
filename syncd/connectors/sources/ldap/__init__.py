"""
Active Directory and other LDAP directories as sources.

    settings     what is set                              opening    from the configuration
    source       the port that the engine sees
    standing     what a server says about itself          groups     who is in which
    reading      one read, from the bind to the last page
    connecting   TLS and the ways to bind                 refusals   what a server says no with
    searching    pages, and values that come in ranges
    changes      whom to read again, and who is deleted   dirsync    the control, on the wire
    tokens       where a read of changes goes on
    decoding     from the values of an entry to cells

Only `reading` and what it imports need python-ldap; nothing of that is imported before a
read begins.
"""

from syncd.connectors.sources.ldap.opening import open_ldap
from syncd.connectors.sources.ldap.settings import Bind, Changes, Directory, Groups, Search, Server
from syncd.connectors.sources.ldap.source import LdapSource

__all__ = ["Bind", "Changes", "Directory", "Groups", "LdapSource", "Search", "Server", "open_ldap"]
