"""The HTTP interface: Falcon ASGI on gunicorn with a uvicorn worker.

`server` starts gunicorn, `worker` is its worker, `asgi` is for other servers. `app` wires: `lifespan` opens the
`service` after the fork; `router`, `request` and `query` hand requests on; `contexts`, `messages`, `window`,
`compact` and `health` answer with the core's bytes; `errors` answers for everything else; `openapi` describes it all.
"""
