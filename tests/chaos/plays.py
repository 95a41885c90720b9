"""Faults that are played one after the other, those that need the same servers on the same ones."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.fault import Fault
from chaos.faults import RECREATED_UNDER_POSITIONS
from chaos.recreated_topic import survive_a_new_topic
from chaos.run import Survived, survive
from chaos.servers import NoSmallDisksError, Servers, started

RATE = 200
"""Messages a second."""


@dataclass
class Plays:
    """How faults are played.

    Attributes:
        folder: for the servers' data, and a folder of logs for each fault.
        messages: published during each.
        seed: of loads and dice.
        notify: gets a line whenever there is something for people to know.
        begin: called with every fault before it is played.
        kafka: the name of the first broker.
    """

    folder: Path
    messages: int
    seed: int
    notify: Callable[[str], None]
    begin: Callable[[Fault], None]
    kafka: str = ""

    def play(self, faults: Sequence[Fault]) -> Iterator[Survived]:
        """Strike the faults, by the servers that they need.

        Raises:
            LlamalogError: the servers could not be started.
            TimeoutError: something does not come to rest.
        """
        for servers in Servers:
            if of_these := [fault for fault in faults if fault.servers is servers]:
                yield from self._play_on(servers, of_these)

    def _play_on(self, servers: Servers, faults: Sequence[Fault]) -> Iterator[Survived]:
        try:
            with started(servers, self.folder / servers.name.lower(), self.notify) as stack:
                self.kafka = self.kafka or stack.kafka.name
                for fault in faults:
                    self.begin(fault)
                    logs = self.folder / fault.name
                    logs.mkdir(parents=True)
                    play = survive_a_new_topic if fault is RECREATED_UNDER_POSITIONS else survive
                    seconds = self.messages / RATE
                    yield asyncio.run(
                        play(fault, stack, logs, messages=self.messages, seconds=seconds, seed=self.seed)
                    )
        except NoSmallDisksError as reason:
            self.notify(f"left out: {', '.join(fault.name for fault in faults)}: {reason}")
