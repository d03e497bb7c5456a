"""What a good request gets: statuses, headers, pages, tags."""

from __future__ import annotations

import concurrent.futures
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from fastpaca.http.window import ANSWERED_BYTES_MAX, Answered

if TYPE_CHECKING:
    import httpx

USER = {"role": "user", "content": "hi"}


def create(http: httpx.Client, context_id: str, messages: int = 0, **fields: Any) -> str:
    """A fresh context with some messages; gives its path."""
    path = f"/v1/contexts/{context_id}"
    assert http.put(path, json=fields).status_code == 201
    if messages:
        batch = [{"role": "assistant" if n % 2 else "user", "content": f"message {n + 1}"} for n in range(messages)]
        http.post(f"{path}/messages", json={"messages": batch}).raise_for_status()
    return path


def test_put_creates_once(http: httpx.Client) -> None:
    created = http.put("/v1/contexts/put-1")
    assert (created.status_code, created.json()["version"]) == (201, 0)
    again = http.put("/v1/contexts/put-1", content=b"", headers={"content-type": "text/plain"})
    assert (again.status_code, again.json()["version"]) == (200, 0)
    changed = http.put("/v1/contexts/put-1", json={"token_budget": 9000})
    assert (changed.status_code, changed.json()["version"], changed.json()["token_budget"]) == (200, 1, 9000)
    assert http.get("/v1/contexts/put-1").json() == changed.json()


IDS = [
    "a",
    ".hidden",
    "a.b.c",
    "user:42",
    "with space",
    "100% sure",
    "%25",
    "%2F",
    "naïve",
    "日本語",
    "🦙",
    "a+b",
    "a?b#c&d=e",
]
IDS += ["é" * 127, "x" * 255, "messages", "~tilde", "back\\slash", '"quoted"', "a;b=c", "\u202eright"]


@pytest.mark.parametrize("context_id", IDS)
def test_every_id_comes_back_as_it_was(http: httpx.Client, context_id: str) -> None:
    path = f"/v1/contexts/{quote(context_id, safe='')}"
    assert http.put(path).json()["id"] == context_id
    assert http.post(f"{path}/messages", json={"message": USER}).json()["seq"] == 1
    assert http.get(f"{path}/window").json()["messages"][0]["parts"] == [{"type": "text", "text": "hi"}]
    listed = http.get("/v1/contexts", params={"prefix": context_id}).json()["contexts"]
    assert [each["id"] for each in listed if each["id"] == context_id] == [context_id]
    assert http.delete(path).status_code == 204


def test_escapes_of_plain_characters_name_the_same_context(http: httpx.Client) -> None:
    create(http, "plain-id")
    assert http.get("/v1/contexts/%70lain%2Did").json()["id"] == "plain-id"


def test_append_and_read(http: httpx.Client) -> None:
    path = create(http, "append-1")
    appended = http.post(f"{path}/messages", json={"message": USER})
    assert appended.status_code == 201
    assert appended.json() | {"token_estimate": 0, "used_tokens": 0} == {
        "seq": 1,
        "first_seq": 1,
        "version": 1,
        "token_estimate": 0,
        "used_tokens": 0,
        "needs_compaction": False,
    }
    batch = http.post(f"{path}/messages", json={"messages": [USER, USER, USER]})
    assert (batch.json()["first_seq"], batch.json()["seq"], batch.json()["version"]) == (2, 4, 4)


def test_bodies_need_no_content_type(http: httpx.Client) -> None:
    path = create(http, "typeless")
    body = json.dumps({"message": USER}).encode()
    assert http.post(f"{path}/messages", content=body).status_code == 201
    for content_type in ("application/json", "application/json; charset=utf-8", 'APPLICATION/JSON;charset="UTF-8"'):
        answer = http.post(f"{path}/messages", content=body, headers={"content-type": content_type})
        assert answer.status_code == 201, content_type


def test_a_chunked_body(http: httpx.Client) -> None:
    path = create(http, "chunked")
    body = json.dumps({"message": USER | {"content": "x" * 300_000}}).encode()
    statuses = []
    for content_type in ("application/json", "application/json; charset=utf-8", "text/plain"):
        pieces = (body[at : at + 1000] for at in range(0, len(body), 1000))
        answer = http.post(f"{path}/messages", content=pieces, headers={"content-type": content_type})
        statuses.append(answer.status_code)
    assert statuses == [201, 201, 415]
    assert http.get(path).json()["version"] == 2


def test_pages_of_the_log(http: httpx.Client) -> None:
    path = create(http, "pages", 25)
    seqs, cursor = [], None
    while True:
        page = http.get(
            f"{path}/messages", params={"limit": 10} | ({} if cursor is None else {"cursor": cursor})
        ).json()
        seqs += [each["seq"] for each in page["messages"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seqs == list(range(1, 26))
    last = http.get(f"{path}/messages", params={"from_seq": -3, "to_seq": -2}).json()["messages"]
    assert [each["seq"] for each in last] == [23, 24]
    tail = http.get(f"{path}/tail", params={"offset": 5, "limit": 3}).json()
    assert [each["seq"] for each in tail["messages"]] == [18, 19, 20]
    assert tail["next_offset"] == 8


def test_rewind_hides_and_view_all_shows(http: httpx.Client) -> None:
    path = create(http, "rewound", 4)
    assert http.post(f"{path}/rewind", json={"to_seq": 2}).status_code == 200
    shown = http.get(f"{path}/messages").json()["messages"]
    assert [each["seq"] for each in shown] == [1, 2]
    everything = http.get(f"{path}/messages?view=all").json()["messages"]
    assert [each["seq"] for each in everything] == [1, 2, 3, 4]
    assert http.post(f"{path}/messages", json={"message": USER}).json()["seq"] == 5


def test_compact(http: httpx.Client) -> None:
    path = create(http, "compacted", 6)
    summary = {"role": "system", "content": "they talked"}
    done = http.post(f"{path}/compact", json={"from_seq": 1, "to_seq": 4, "replacement": summary})
    assert done.status_code == 200
    window = http.get(f"{path}/window").json()
    assert window["version"] == done.json()["version"] == 7
    assert [each["type"] for each in window["segments"]] == ["summary", "live"]
    assert len(http.get(f"{path}/messages").json()["messages"]) == 6


@pytest.mark.parametrize("body", [b"", b"{}", b' {"if_version": 5} '])
def test_revert(http: httpx.Client, body: bytes) -> None:
    path = create(http, f"reverted-{len(body)}", 4)
    summary = {"role": "system", "content": "they talked"}
    http.post(f"{path}/compact", json={"from_seq": 1, "to_seq": 2, "replacement": summary}).raise_for_status()
    reverted = http.post(f"{path}/compactions/5/revert", content=body)
    assert (reverted.status_code, reverted.json()["version"]) == (200, 6)
    assert [each["seq"] for each in http.get(f"{path}/window").json()["messages"]] == [1, 2, 3, 4]


def test_metadata_merges(http: httpx.Client) -> None:
    path = create(http, "meta", metadata={"a": 1, "b": 2})
    patched = http.patch(f"{path}/metadata", json={"b": None, "c": 3})
    assert (patched.status_code, patched.json()["metadata"]) == (200, {"a": 1, "c": 3})


def test_delete(http: httpx.Client) -> None:
    path = create(http, "deleted", 2)
    assert http.delete(path, params={"if_version": 1}).status_code == 409
    deleted = http.delete(path, params={"if_version": 2})
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert "content-type" not in deleted.headers
    assert http.get(path).json()["status"] == "tombstoned"
    assert len(http.get(f"{path}/messages").json()["messages"]) == 2
    assert http.put(path).status_code == 409
    assert "deleted" not in [each["id"] for each in http.get("/v1/contexts?prefix=deleted").json()["contexts"]]


def test_the_window_under_both_names(http: httpx.Client) -> None:
    path = create(http, "both", 3)
    window, alias = http.get(f"{path}/window"), http.get(f"{path}/context?format=parts&fit=steps&close=false")
    assert window.content == alias.content
    cut = http.get(f"{path}/window?budget_tokens=18&fit=largest").json()
    assert cut["truncated"]
    assert cut["used_tokens"] <= 18


def test_entity_tags(http: httpx.Client) -> None:
    path = create(http, "tagged", 3)
    first = http.get(f"{path}/window")
    tag = first.headers["etag"]
    assert tag.startswith('"')
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*", f'W/"a",W/{tag}'):
        same = http.get(f"{path}/window", headers={"if-none-match": given})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag), given
    assert http.get(f"{path}/window", headers={"if-none-match": '"other"'}).status_code == 200
    assert http.get(f"{path}/window?budget_tokens=900", headers={"if-none-match": tag}).status_code == 200
    http.post(f"{path}/messages", json={"message": USER})
    moved = http.get(f"{path}/window", headers={"if-none-match": tag})
    assert moved.status_code == 200
    assert moved.headers["etag"] != tag


def test_a_window_that_was_sent_before_is_the_one_that_is_asked_for(http: httpx.Client) -> None:
    path = create(http, "sent-before", messages=20, token_budget=5000)
    wanted = ["window", "window?budget_tokens=60", "window?format=openai", "context", "window?at_version=10"]
    first = {}
    for each in wanted:
        reply = http.get(f"{path}/{each}")
        first[each] = reply.headers["etag"], reply.content
    assert len({content for _, content in first.values()}) == 4
    for each in [*wanted, *reversed(wanted), wanted[0], wanted[0]]:
        reply = http.get(f"{path}/{each}")
        assert (reply.status_code, reply.headers["etag"], reply.content) == (200, *first[each]), each
    tag = first["window"][0]
    assert http.get(f"{path}/window?if_version=20").status_code == 304
    assert http.get(f"{path}/window", headers={"if-none-match": tag}).status_code == 304
    assert http.get(f"{path}/window?min_version=21").status_code == 503
    http.post(f"{path}/messages", json={"message": USER}).raise_for_status()
    assert http.get(f"{path}/window").json()["messages"][-1]["seq"] == 21
    assert http.get(f"{path}/window?at_version=20").content == first["window"][1]


def test_windows_that_are_kept_are_bounded() -> None:
    answered = Answered()
    size = ANSWERED_BYTES_MAX // 4
    for name in ["a", "b", "c", "d", "a", "a"]:
        answered.keep(name, f'"{name}"', name.encode() * size)
    assert [name for name in "abcd" if answered.get(name)] == ["a", "b", "c", "d"]
    answered.keep("e", '"e"', b"e")
    assert [name for name in "abcde" if answered.get(name)] == ["a", "c", "d", "e"]
    answered.keep("f", '"f"', bytes(ANSWERED_BYTES_MAX + 1))
    assert [name for name in "abcdef" if answered.get(name)] == []
    answered.keep("g", '"g"', b"g" * ANSWERED_BYTES_MAX)
    assert answered.get("g") == ('"g"', b"g" * ANSWERED_BYTES_MAX)


def test_versions_of_reads(http: httpx.Client) -> None:
    path = create(http, "versions", 3)
    assert http.get(f"{path}/window?if_version=3").status_code == 304
    assert http.get(f"{path}/window?if_version=2").status_code == 200
    for read in ("", "/window", "/messages", "/tail"):
        assert http.get(f"{path}{read}?min_version=3").status_code == 200
        early = http.get(f"{path}{read}?min_version=4")
        assert (early.status_code, early.headers["retry-after"]) == (503, "1")
        assert early.json() | {"message": ""} == {
            "error": "version_not_reached", "message": "", "wanted": 4, "actual": 3
        }  # fmt: skip


def test_head(http: httpx.Client) -> None:
    path = create(http, "head", 3)
    for read in (
        path,
        f"{path}/window",
        f"{path}/messages",
        f"{path}/tail",
        "/v1/contexts",
        "/health/live",
        "/openapi.json",
    ):
        got, head = http.get(read), http.head(read)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(got.content)), read
    assert http.head("/v1/contexts/none").status_code == 404


def test_listing(http: httpx.Client) -> None:
    for n in range(7):
        create(http, f"list-{n}")
    create(http, "list-full", token_budget=100)
    http.post("/v1/contexts/list-full/messages", json={"message": USER | {"content": "word " * 90}})
    ids: list[str] = []
    cursor: str | None = None
    while True:
        params: dict[str, Any] = {"prefix": "list-", "limit": 3} | ({} if cursor is None else {"cursor": cursor})
        page = http.get("/v1/contexts", params=params).json()
        ids += [each["id"] for each in page["contexts"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert ids == [*(f"list-{n}" for n in range(7)), "list-full"]
    full = http.get("/v1/contexts?prefix=list-&needs_compaction=true").json()["contexts"]
    assert [each["id"] for each in full] == ["list-full"]
    others = http.get("/v1/contexts?prefix=list-&needs_compaction=false").json()["contexts"]
    assert len(others) == 7


def test_a_replayed_write_says_so(http: httpx.Client) -> None:
    path = create(http, "replayed")
    headers = {"idempotency-key": "k-1"}
    first = http.post(f"{path}/messages", json={"message": USER}, headers=headers)
    again = http.post(f"{path}/messages", json={"message": USER}, headers=headers)
    inside = http.post(f"{path}/messages", json={"message": USER, "idempotency_key": "k-1"})
    assert (first.status_code, "idempotency-replayed" in first.headers) == (201, False)
    for answer in (again, inside):
        assert (answer.status_code, answer.headers["idempotency-replayed"]) == (200, "true")
        assert answer.content == first.content
    other = http.post(f"{path}/messages", json={"message": USER | {"content": "other"}}, headers=headers)
    assert (other.status_code, other.json()["error"]) == (422, "idempotency_key_reused")
    assert http.get(path).json()["version"] == 1


def test_every_write_replays(http: httpx.Client) -> None:
    path = create(http, "replays", 4)
    writes: list[tuple[str, str, Any, int]] = [
        ("PUT", "", {"token_budget": 7000}, 200),
        ("PATCH", "/metadata", {"metadata": {"a": 1}}, 200),
        ("POST", "/rewind", {"to_seq": 3}, 200),
        ("POST", "/compact", {"replacement": {"role": "system", "content": "short"}}, 200),
        ("DELETE", "", None, 204),
    ]
    for n, (method, rest, body, status) in enumerate(writes):
        headers = {b"idempotency-key": f"ключ {n}".encode()}
        first = http.request(method, path + rest, json=body, headers=headers)
        again = http.request(method, path + rest, json=body, headers=headers)
        assert (first.status_code, first.headers.get("idempotency-replayed")) == (status, None), first.text
        assert again.headers["idempotency-replayed"] == "true"
        assert (again.status_code, again.content) == (204 if method == "DELETE" else 200, first.content)


def test_equal_keyed_requests_at_once_append_once(http: httpx.Client) -> None:
    path = create(http, "at-once")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(
                lambda _: http.post(f"{path}/messages", json={"message": USER}, headers={"idempotency-key": "same"}),
                range(16),
            )
        )
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len({answer.content for answer in answers}) == 1
    assert http.get(path).json()["last_seq"] == 1


def test_options_names_the_methods(http: httpx.Client) -> None:
    answer = http.options("/v1/contexts/any/messages")
    assert answer.status_code == 200
    assert {"GET", "HEAD", "POST"} <= set(answer.headers["allow"].split(", "))


def test_health(http: httpx.Client) -> None:
    assert http.get("/health/live").json() == {"status": "live"}
    ready = http.get("/health/ready").json()
    assert ready["status"] == "ready"
    assert ready["position"] >= 0


def test_metrics(http: httpx.Client) -> None:
    path = create(http, "measured", 1)
    http.get(f"{path}/nothing")
    page = http.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    lines = dict(line.rsplit(" ", 1) for line in page.text.splitlines() if not line.startswith("#"))
    assert float(lines["fastpaca_appends_total"]) >= 1
    assert float(lines['fastpaca_requests_total{method="GET",route="unknown",status="404"}']) >= 1
    route = "/v1/contexts/{context_id}/messages"
    assert float(lines[f'fastpaca_requests_total{{method="POST",route="{route}",status="201"}}']) >= 1
    assert float(lines["fastpaca_log_position"]) >= 2
    assert float(lines["fastpaca_log_poisoned"]) == 0
    assert float(lines["fastpaca_contexts_loaded"]) >= 1
    assert float(lines["fastpaca_contexts_resident_bytes"]) > 0
    assert not [name for name in lines if "measured" in name]
