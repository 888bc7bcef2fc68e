"""`python -m regions.probe`: does the web process of this container answer? Exit code 0 or 1.

The image's health check. It names the public host, because a process answers no other, and it
imports no settings: it runs every few seconds beside the process it asks.
"""

import http.client
import os
import sys
from urllib.parse import urlsplit

TIMEOUT = 1.5  # seconds, within the image's own limit of two


def main() -> int:
    """Ask `/health/live` at PORT, 8000 unless it is set."""
    host = urlsplit(os.environ["ANYPORT_URL"]).netloc
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=TIMEOUT
    )
    try:
        connection.request("GET", "/health/live", headers={"Host": host})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    if status != 200:
        print(f"answers {status}", file=sys.stderr)
    return int(status != 200)


if __name__ == "__main__":
    sys.exit(main())
