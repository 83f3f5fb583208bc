"""What ends a run: a broken invariant, and the patience after which waiting is one."""

PATIENCE = 240  # seconds: a guard against hanging, not a claim about speed


class Wrong(Exception):
    """An invariant is broken."""
