"""How a promotion ends that does not end well."""


class Refused(Exception):
    """It was not begun, or all that it had done was undone."""


class NotUndone(Refused):
    """It was refused, and the old writer, which had been stopped for it, does not come back."""


class Unfinished(Exception):
    """It stopped on its way. The same command takes it up where it stopped."""
