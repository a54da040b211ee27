"""The suites are driven by the plugin; everything else is in `dcrcheck/`."""

pytest_plugins = ["dcrcheck.plugin"]
