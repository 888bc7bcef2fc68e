"""What a log and a failed row may say of a shopper: nothing that reaches them."""

import re
from typing import Final

ADDRESS: Final = re.compile(r"\S*@\S*")


def without_addresses(text: str) -> str:
    """What a mail server or a gateway said, where it may name whom it refuses."""
    return ADDRESS.sub("…", text)
