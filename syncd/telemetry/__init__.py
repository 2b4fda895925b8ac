"""
What the program says about itself while it works.

    log       structured lines on standard error, without names
    metrics   numbers for Prometheus; import it from there, so that a command need not load it
      └── families   those that say how an environment stands, and what each means
    phases    how long the parts of a run take
"""

from syncd.telemetry.log import MASK, PERSONAL, configure, mask

__all__ = ["MASK", "PERSONAL", "configure", "mask"]
