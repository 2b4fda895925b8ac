"""The outside world: each connector implements a port of the core."""

import sys

# httpx brings a command of its own, which it does without where that cannot be loaded: a third
# of the time that it takes to load. Nobody types it here.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None is how Python bars a module
