"""The one place where the version is written."""

version = "0.1.0"
version_info = (0, 1, 0, 0)
