"""`pytest benches` needs this plugin. The project's settings name those of the tests, and pytest loads no others."""

pytest_plugins = ["pytest_benchmark.plugin"]
