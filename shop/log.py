"""What the log says while a store is away: a line for each request that was told so, and no more.

With its trace-back each would be five kilobytes: a busy shop would fill its disk in an outage.
"""

import logging
from http import HTTPStatus


class OutageInALine(logging.Filter):
    """Of a 503 with an exception, keeps the exception's own words and drops where it came from."""

    def filter(self, record: logging.LogRecord) -> bool:
        status = getattr(record, "status_code", None)
        if status == HTTPStatus.SERVICE_UNAVAILABLE and record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            why = " ".join(str(error).split())
            record.msg, record.args = f"{record.getMessage()}: {type(error).__name__}: {why}", ()
            record.exc_info = record.exc_text = None
        return True
