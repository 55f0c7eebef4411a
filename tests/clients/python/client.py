"""Opens a feed of fleetwire with the PyPI package `websockets`, and says what happens, a line each.

Usage: client.py URL TOKEN
"""

import asyncio
import json
import sys

import websockets


def say(line):
    print(line, flush=True)


async def main(url, token):
    headers = {"Authorization": f"Bearer {token}"}
    try:
        socket = await websockets.connect(url, additional_headers=headers)
    except websockets.exceptions.InvalidStatus as refusal:
        say(f"refused {refusal.response.status_code}")
        return
    # All of this is ignored: no answer, no close.
    await socket.send("hello")
    await socket.send("")
    await socket.send(b"\x00\xff" * 500_000)
    await socket.send(["frag", "men", "ted"])
    await (await socket.ping())
    say("pong")
    it = json.loads(await socket.recv())
    moves = "mobile" if it["is_mobile"] else "fixed"
    longitude, latitude = it["geometry"]["coordinates"]
    say(f"{it['name']}, {it['address']}, {it['type']}, {moves}: {longitude} {latitude}")
    await socket.close()
    say(f"closed {socket.close_code}")


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 50))
