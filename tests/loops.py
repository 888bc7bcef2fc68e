"""Asynchronous clients in synchronous tests."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def run[T](main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in a thread: Playwright, once used, keeps a loop running in the main one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, main).result()
