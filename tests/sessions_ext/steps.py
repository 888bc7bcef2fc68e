"""Each question that one thread asks the stores is a step, at which something else can happen.

A step is a command or a pipeline sent to Redis, or an operation sent to DynamoDB.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from botocore.client import BaseClient
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ConnectionError

from sessions_ext.health import redis_gate

type When = Literal["before", "after"]

WHENS: tuple[When, When] = ("before", "after")


@dataclass
class Step:
    store: Literal["redis", "dynamodb"]
    name: str
    """The command or the operation."""
    arguments: Any


@dataclass
class Steps:
    """What this thread asked, and what is to happen at one of its steps."""

    at: int = 0
    """At which step `action` is carried out, by another thread; the first is 1."""
    when: When = "before"
    action: Callable[[], object] = lambda: None
    breaks_at: int = 0
    """Which step of Redis ends in a ConnectionError: before it took effect, or after."""
    breaks: When = "before"
    taken: list[Step] = field(default_factory=list)
    thread: int = field(default_factory=threading.get_ident)

    @property
    def redis(self) -> list[Step]:
        return [step for step in self.taken if step.store == "redis"]

    @property
    def dynamodb(self) -> list[Step]:
        return [step for step in self.taken if step.store == "dynamodb"]

    def take(self, step: Step, ask: Callable[[], Any]) -> Any:
        if threading.get_ident() != self.thread:
            return ask()
        self.taken.append(step)
        here = len(self.taken) == self.at
        if here and self.when == "before":
            self._act()
        try:
            return self._ask(step, ask)
        finally:
            if here and self.when == "after":
                self._act()

    def _ask(self, step: Step, ask: Callable[[], Any]) -> Any:
        broken = step.store == "redis" and len(self.redis) == self.breaks_at
        if broken and self.breaks == "before":
            raise ConnectionError("lost before it took effect")
        answer = ask()
        if broken:
            raise ConnectionError("lost after it took effect")
        return answer

    def _act(self) -> None:
        with ThreadPoolExecutor(1) as another:
            another.submit(self.action).result(60)


@contextmanager
def stepping(**options: Any) -> Iterator[Steps]:
    steps = Steps(**options)
    command, pipeline, operation = (
        Redis.execute_command,
        Pipeline.execute,
        BaseClient._make_api_call,  # type: ignore[attr-defined]  # private
    )

    def spy_command(self: Any, *args: Any, **kwargs: Any) -> Any:
        step = Step("redis", str(args[0]), args[1:])
        return steps.take(step, lambda: command(self, *args, **kwargs))  # type: ignore[no-untyped-call]  # untyped there

    def spy_pipeline(self: Any, *args: Any, **kwargs: Any) -> Any:
        step = Step("redis", "pipeline", [each[0] for each in self.command_stack])
        return steps.take(step, lambda: pipeline(self, *args, **kwargs))

    def spy_operation(self: Any, name: str, parameters: Any) -> Any:
        if self.meta.service_model.service_name != "dynamodb":
            return operation(self, name, parameters)
        step = Step("dynamodb", name, parameters)
        return steps.take(step, lambda: operation(self, name, parameters))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Redis, "execute_command", spy_command)
        patch.setattr(Pipeline, "execute", spy_pipeline)
        patch.setattr(BaseClient, "_make_api_call", spy_operation)
        yield steps


class RedisOutOfReach:
    """For some threads of this process the gate to Redis is closed, as in another instance."""

    def __init__(self) -> None:
        self._threads = threading.local()

    @property
    def here(self) -> bool:
        return getattr(self._threads, "closed", False)

    def run[T](self, function: Callable[[], T], *, closed: bool = True) -> T:
        before, self._threads.closed = self.here, closed
        try:
            return function()
        finally:
            self._threads.closed = before

    @contextmanager
    def possible(self) -> Iterator[None]:
        is_open = redis_gate.is_open
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(redis_gate, "is_open", lambda: not self.here and is_open())
            yield
