"""websockets: tells each event as a line, and comes back after each loss with the positions that it has."""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake


def tell(event):
    print(json.dumps(event), flush=True)


async def listen(socket, subscriptions):
    """Tells events until the server has said of each subscription that it has ended. Grants one more for each."""
    for subscription in subscriptions.values():
        await socket.send(json.dumps({"op": "subscribe", "credit": 2, **subscription}))
    async for message in socket:
        frame = json.loads(message)
        if frame["op"] == "event":
            subscriptions[frame["sid"]]["after"] = frame["id"]
            tell({"event": frame["event"], "id": frame["id"], "data": frame["job"]})
            await socket.send(json.dumps({"op": "credit", "sid": frame["sid"], "n": 1}))
        elif frame["op"] == "ended":
            del subscriptions[frame["sid"]]
            if not subscriptions:
                return
        elif frame["op"] not in ("caught_up", "lagging"):
            tell({"event": "broken", "why": frame})


async def main():
    asked = json.loads(sys.argv[1])
    subscriptions = {job: {"sid": job, "job": job} for job in asked["jobs"]}
    while subscriptions:
        try:
            async with connect(asked["urls"][0], subprotocols=["ackd.v1"], proxy=None) as socket:
                await listen(socket, subscriptions)
        except (OSError, ConnectionClosed, InvalidHandshake):
            # The server is away, or a proxy says so.
            pass
        if subscriptions:
            await asyncio.sleep(0.5)
    tell({"event": "end"})


asyncio.run(main())
