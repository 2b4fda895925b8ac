"""The order of things. Knows ports and state, no connector."""
