"""Settings from the environment and from flags, and the page that is generated from them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from fastpaca.config import FLAGS, Config, ConfigError, reference, variable

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"


def test_defaults() -> None:
    config = Config.from_environ({})
    assert (config.host, config.port, config.data_dir, config.log_level) == ("127.0.0.1", 4000, Path("data"), "info")
    assert config.fsync
    assert config.body_bytes_max == 8 * 1024 * 1024
    assert config == Config()


def test_it_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().port = 1  # type: ignore[misc]


def test_the_environment_then_flags() -> None:
    environ = {
        "FASTPACA_PORT": "5000",
        "FASTPACA_FSYNC": "off",
        "FASTPACA_DATA_DIR": "/srv/x",
        "FASTPACA_LOG_LEVEL": "WARNING",
    }
    config = Config.from_environ(environ, port=None)
    assert (config.port, config.fsync, config.data_dir, config.log_level) == (5000, False, Path("/srv/x"), "warning")
    assert Config.from_environ(environ, port="6000").port == 6000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FASTPACA_PORT", "http"),
        ("FASTPACA_PORT", "-1"),
        ("FASTPACA_PORT", "65536"),
        ("FASTPACA_PORT", ""),
        ("FASTPACA_PORT", "٤٠٠٠"),
        ("FASTPACA_PORT", "9" * 5000),
        ("FASTPACA_PORT", "tcp://10.0.0.1:4000"),
        ("FASTPACA_HOST", ""),
        ("FASTPACA_HOST", "http://x"),
        ("FASTPACA_DATA_DIR", ""),
        ("FASTPACA_LOG_LEVEL", "loud"),
        ("FASTPACA_FSYNC", "maybe"),
        ("FASTPACA_CACHE_BYTES", "1GB"),
        ("FASTPACA_CACHE_BYTES", "0"),
        ("FASTPACA_BODY_BYTES_MAX", "10"),
        ("FASTPACA_LOCK_WAIT_S", "nan"),
        ("FASTPACA_LOCK_WAIT_S", "inf"),
        ("FASTPACA_LOCK_WAIT_S", "-1"),
        ("FASTPACA_GRACEFUL_TIMEOUT_S", "0"),
        ("FASTPACA_KEEP_ALIVE_S", "x"),
    ],
)
def test_a_bad_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Config.from_environ({name: value})


def test_a_bad_flag_is_named_as_one() -> None:
    with pytest.raises(ConfigError, match="--port: expected an integer"):
        Config.from_environ({}, port="x")


def test_a_service_of_that_name_in_kubernetes_is_explained() -> None:
    with pytest.raises(ConfigError, match="enableServiceLinks"):
        Config.from_environ({"FASTPACA_PORT": "tcp://10.0.0.1:4000"})


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == reference(), "run: python -m fastpaca.config > docs/configuration.md"


def test_the_page_names_every_setting() -> None:
    for setting in fields(Config):
        assert variable(setting.name) in PAGE.read_text()
    assert {setting.name for setting in fields(Config)} >= set(FLAGS)
