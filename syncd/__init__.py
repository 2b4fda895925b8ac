"""Keep the mobile offline profile memberships in Dataverse as HR and the directory say."""

__version__ = "0.1.0"
