"""Daphne with a Channels consumer in one group. What publishes sends length, location, message."""

import asyncio
import struct

from twisted.internet import asyncioreactor

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
asyncioreactor.install(loop)

from django.conf import settings  # noqa: E402

settings.configure(
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels.layers.InMemoryChannelLayer",
            "CONFIG": {"capacity": 100_000},
        }
    }
)

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402
from daphne.endpoints import build_endpoint_description_strings  # noqa: E402
from daphne.server import Server  # noqa: E402


class Consumer(AsyncWebsocketConsumer):
    groups = ["bench"]

    async def bench_message(self, event):
        await self.send(text_data=event["text"])


async def publish(reader, writer):
    layer = get_channel_layer()
    try:
        while True:
            length, _ = struct.unpack(">II", await reader.readexactly(8))
            text = (await reader.readexactly(length)).decode()
            await layer.group_send("bench", {"type": "bench.message", "text": text})
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def announce(server):
    publishers = await asyncio.start_server(publish, "127.0.0.1", 0)
    while not server.listening_addresses:
        await asyncio.sleep(0.01)
    port = publishers.sockets[0].getsockname()[1]
    host, listening = server.listening_addresses[0]
    print(f"{host}:{listening} 127.0.0.1:{port}", flush=True)


server = Server(
    application=Consumer.as_asgi(),
    endpoints=build_endpoint_description_strings(host="127.0.0.1", port=0),
    signal_handlers=False,
)
loop.create_task(announce(server))
server.run()
