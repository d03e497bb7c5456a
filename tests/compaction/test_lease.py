"""Leases: one worker at a time, for a while."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

import fastpaca
from fastpaca.errors import LeaseHeldError, LeaseLostError, NotFoundError
from fastpaca.lease import Leases

if TYPE_CHECKING:
    from pathlib import Path

    import httpx


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def take(leases: Leases, **fields: object) -> dict[str, str]:
    taken: dict[str, str] = json.loads(leases.take("c", json.dumps(fields).encode()))
    return taken


def test_one_holds_it_until_it_ends() -> None:
    clock = Clock()
    leases = Leases(clock)
    first = take(leases, holder="one", seconds=10)
    with pytest.raises(LeaseHeldError) as held:
        take(leases, holder="two")
    assert (held.value.holder, held.value.expires_at) == ("one", first["expires_at"])
    assert json.loads(leases.take("other", b""))["holder"] is None
    clock.now = 9
    renewed = take(leases, token=first["token"], seconds=10)
    assert (renewed["token"], renewed["holder"]) == (first["token"], "one")
    clock.now = 18
    with pytest.raises(LeaseHeldError):
        take(leases)
    clock.now = 19
    second = take(leases, holder="two")
    with pytest.raises(LeaseHeldError):
        take(leases, token=first["token"])
    leases.release("c", json.dumps({"token": first["token"]}).encode())
    with pytest.raises(LeaseHeldError):
        take(leases)
    leases.release("c", json.dumps({"token": second["token"]}).encode())
    with pytest.raises(LeaseLostError):
        take(leases, token=second["token"])
    take(leases)


def test_those_that_ended_are_forgotten() -> None:
    clock = Clock()
    leases = Leases(clock)
    for n in range(3000):
        clock.now = float(n)
        leases.take(f"c{n}", b'{"seconds":1}')
    assert len(leases._leases) < 1100


def test_in_process(tmp_path: Path) -> None:
    with fastpaca.open(tmp_path / "data") as store:
        chat = store.context("chat", budget=1000)
        with chat.lease(seconds=30, holder="one") as lease:
            assert lease.expires_at
            lease.renew()
            with pytest.raises(LeaseHeldError, match="'one'"), chat.lease(holder="two"):
                raise AssertionError("two hold it")
        with chat.lease(holder="two"):
            pass
        with pytest.raises(NotFoundError), store.context("none").lease():
            raise AssertionError("of nothing")


def test_in_process_async(tmp_path: Path) -> None:
    async def main() -> None:
        async with fastpaca.open_async(tmp_path / "data") as store:
            chat = await store.context("chat", budget=1000)
            async with chat.lease() as lease:
                with pytest.raises(LeaseHeldError):
                    await chat.lease().renew()
                await lease.renew()
            await chat.lease().renew()

    asyncio.run(main())


def test_over_http(http: httpx.Client) -> None:
    path = "/v1/contexts/leased"
    http.put(path).raise_for_status()
    taken = http.post(f"{path}/compactions/lease", json={"holder": "one", "seconds": 60})
    assert (taken.status_code, set(taken.json())) == (200, {"token", "holder", "expires_at"})
    other = http.post(f"{path}/compactions/lease")
    assert (other.status_code, other.json()["error"], other.json()["holder"]) == (409, "lease_held", "one")
    token = {"token": taken.json()["token"]}
    assert http.post(f"{path}/compactions/lease", json=token).json()["token"] == token["token"]
    for _ in range(2):
        released = http.request("DELETE", f"{path}/compactions/lease", json=token)
        assert (released.status_code, released.content) == (204, b"")
    assert http.post(f"{path}/compactions/lease").status_code == 200
