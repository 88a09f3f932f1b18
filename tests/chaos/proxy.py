"""A door before a Redis: passes all on, and cuts answers in the middle when told to.

    python -m tests.chaos.proxy PORT

prints the port on which it listens. SIGUSR1 has each connection that is open end after
the first half of the next answer; Redis has done then what it was asked for.
"""

import asyncio
import signal
import subprocess
import sys
from contextlib import suppress

from tests.conftest import ROOT

CHUNK = 65536  # bytes


class Door:
    """Passes bytes on, to and fro."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self._to_cut: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Have the next answer on each open connection end in the middle."""
        self._to_cut |= self._open

    async def enter(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Connect a client to Redis, until one of the two ends it."""
        with suppress(OSError):
            answers, redis = await asyncio.open_connection("127.0.0.1", self._port)
            self._open.add(writer)
            asking = asyncio.create_task(self._pass_on(reader, redis))
            await self._answer(answers, writer)
            asking.cancel()
            redis.close()
        self._open.discard(writer)
        self._to_cut.discard(writer)
        writer.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, redis: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                redis.write(data)
                await redis.drain()
        redis.close()

    async def _answer(
        self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await answers.read(CHUNK):
            cut = writer in self._to_cut
            writer.write(data[: len(data) // 2] if cut else data)
            await writer.drain()
            if cut:
                return


async def serve(port: int) -> None:
    """Open the door, until the process is ended."""
    door = Door(port)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, door.cut)
    server = await asyncio.start_server(door.enter, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Proxy:
    """That door, as a process."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.proxy", str(port)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())

    def cut(self) -> None:
        """Cut the next answer on each connection."""
        self._process.send_signal(signal.SIGUSR1)

    def stop(self) -> None:
        """Close the door."""
        self._process.terminate()
        self._process.wait(10)
        assert self._process.stdout
        self._process.stdout.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
