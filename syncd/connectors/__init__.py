"""The outside world: each connector implements a port of the core."""
