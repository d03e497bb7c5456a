"""The application for an ASGI server: one worker alone, since one process owns a data directory."""

from fastpaca.config import Config
from fastpaca.http.app import create_app
from fastpaca.http.service import Service

config = Config.from_environ()
app = create_app(config, Service(config))
