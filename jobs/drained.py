"""A worker of a drained region takes no task, finishes what it has, and begins again afterwards."""

import logging
from typing import Any, Final

from celery import bootsteps

from storage import drain

logger = logging.getLogger(__name__)

EVERY: Final = 2.0  # seconds between two looks at the flag
OBEY_EVERY: Final = 0.5  # seconds until what was seen is done


class Drained(bootsteps.StartStopStep):
    """Cancels the consumers of the worker's queues, as `celery control cancel_consumer` does.

    Nothing asks the workers, who may listen to a Redis that is away: each reads the flag itself.
    The task that Redis was just handing over when its consumer ended goes back into the queue
    (kombu's `_reject_inbound_message`), for a worker of another region.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.left: set[str] = set()
        """Queues that it listens to when its region is not drained."""
        self.entry: Any = None

    def start(self, consumer: Any) -> None:
        """At each connection to the broker, before the first task is asked for."""
        drain.follow(EVERY, wait=True)
        self.obey(consumer)
        # The worker's own loop: consumers are not safe to be changed in another thread.
        self.entry = consumer.timer.call_repeatedly(OBEY_EVERY, self.obey, (consumer,))

    def stop(self, consumer: Any) -> None:
        if self.entry:
            self.entry.cancel()
            self.entry = None

    def obey(self, consumer: Any) -> None:
        if drain.is_drained():
            for queue in [queue.name for queue in consumer.task_consumer.queues]:
                self.left.add(queue)
                consumer.cancel_task_queue(queue)
        else:
            for queue in list(self.left):
                consumer.add_task_queue(queue)
                self.left.discard(queue)
