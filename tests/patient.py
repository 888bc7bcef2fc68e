"""Settings of commands that tests type on a busy machine: as the shop's, but for DynamoDB."""

from settings.local import *  # noqa: F403  # settings build on settings

DYNAMODB_TIMEOUTS = {"connect_timeout": 5.0, "read_timeout": 15.0}
