"""Server-sent events: told at once, caught up on after a pause, begun anew after too long a one."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

from vernis.app.events import KEPT, EventHub

pytestmark = pytest.mark.app


def read(hub: EventHub, count: int, last: str = "", ping: float = 5.0) -> list[str]:
    async def reading():
        found = []
        async for part in hub.stream(last, ping):
            found.append(part.decode())
            if len(found) > count:
                break
        return found[1:]

    return asyncio.run(reading())


def test_a_stream_that_comes_back_gets_what_it_missed():
    hub = EventHub("m")
    for number in range(3):
        hub.publish("decided", {"n": number})
    assert read(hub, 2, "m-1") == [
        'id: m-2\nevent: decided\ndata: {"n":1}\n\n',
        'id: m-3\nevent: decided\ndata: {"n":2}\n\n',
    ]


@pytest.mark.parametrize("last", ["other-1", "m-7", "m-x", "m-1"])
def test_a_stream_that_missed_too_much_is_told_to_read_anew(last):
    hub = EventHub("m")
    for _ in range(KEPT + 5 if last == "m-1" else 2):
        hub.publish("job", {})
    assert "event: reset" in read(hub, 1, last)[0]


def test_a_silent_stream_says_that_it_lives_and_ends_with_the_hub():
    assert read(EventHub(), 1, ping=0.01) == [": ping\n\n"]

    async def closing():
        hub = EventHub()
        stream = hub.stream()
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream, None))
        await asyncio.sleep(0)
        hub.close()
        return await waiting

    assert asyncio.run(closing()) is None


def test_a_thread_can_tell_an_open_stream():
    async def reading():
        hub = EventHub("m")
        stream = hub.stream()
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await asyncio.to_thread(hub.publish, "catalog", {})
        return await asyncio.wait_for(waiting, 5)

    assert b"event: catalog" in asyncio.run(reading())


def test_a_decision_is_told_to_every_page(served):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", served.client.port, timeout=30)
    connection.request(
        "GET", "/api/events", headers={"Authorization": f"Bearer {served.client.key}"}
    )
    stream = connection.getresponse()
    assert stream.headers["content-type"].startswith("text/event-stream")
    stream.readline()
    issue = served.client.get("/api/queue?taxonomy=kind").json["items"][0]["issue"]
    served.client.post("/api/decisions", {"answers": [{"issue": issue, "answer": "accept"}]})
    lines = [stream.readline().decode().strip() for _ in range(5)]
    assert "event: decided" in lines
    told = next(line for line in lines if line.startswith("data:"))
    assert f'"issue":{issue}' in told
    assert '"by":"ann"' in told
    connection.close()
