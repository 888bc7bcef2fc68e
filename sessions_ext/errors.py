"""What can go wrong with a session, for those who call the engine."""


class SessionsUnavailable(ConnectionError):
    """Nobody who knows could be asked: the answer is "come back", never an empty session."""

    def __init__(self) -> None:
        super().__init__("neither Redis nor DynamoDB could be asked for the session")


class Gone(Exception):
    """The session was deleted, by a log-out or a log-in that renamed it. It stays deleted."""


class Taken(Exception):
    """A session with this id exists already."""
