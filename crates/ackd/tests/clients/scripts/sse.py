"""httpx-sse: tells each event as a line. It does not come back by itself; that is done here, as the standard says."""

import asyncio
import json
import sys

import httpx
from httpx_sse import aconnect_sse

TERMINAL = ("DONE", "FAILED", "CANCELLED", "EXPIRED")


def tell(event):
    print(json.dumps(event), flush=True)


async def follow(client, url, until):
    """Tells every event of `url`, up to a 204 or to the end of a job of the type `until`."""
    last, pause = None, 1.0
    while True:
        headers = {} if last is None else {"Last-Event-ID": last}
        try:
            async with aconnect_sse(client, "GET", url, headers=headers) as source:
                if source.response.status_code == 204:
                    return
                source.response.raise_for_status()
                async for event in source.aiter_sse():
                    if event.retry is not None:
                        pause = event.retry / 1000
                    if not event.data:
                        continue
                    data = event.json()
                    last = event.id
                    tell({"event": event.event, "id": event.id, "data": data})
                    if until and data.get("type") == until and data["status"] in TERMINAL:
                        return
        except httpx.TransportError:
            pass
        except httpx.HTTPStatusError as error:
            # A proxy whose server is away.
            if error.response.status_code not in (502, 503, 504):
                raise
        await asyncio.sleep(pause)


async def main():
    asked = json.loads(sys.argv[1])
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        await asyncio.gather(*(follow(client, url, asked["until"]) for url in asked["urls"]))
    tell({"event": "end"})


asyncio.run(main())
