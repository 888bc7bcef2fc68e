"""Mail into files, where no mail server is: the embedded stack's."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class FileBackend(BaseEmailBackend):
    """One `.eml` file a message in `file_path`, named after its Message-ID and written at once.

    The same message again is the same file, as it is the same mail to a server that drops copies.
    Django's own backend gives every delivery another file.
    """

    def __init__(self, *args: Any, file_path: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.directory = Path(file_path)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Raises OSError."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            composed = message.message()
            name = re.sub(r"[^\w.@-]", "_", str(composed["Message-ID"]).strip("<>"))
            part = self.directory / f".{name}.{os.getpid()}.part"
            part.write_bytes(composed.as_bytes())
            part.replace(self.directory / f"{name}.eml")
        return len(email_messages)
