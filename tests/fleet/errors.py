"""What a fault of the fleet raises."""


class NothingDone(Exception):
    """A fault can't happen now; the text says why."""
