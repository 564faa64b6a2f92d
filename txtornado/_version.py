"""The one place where the version is written."""

version = "0.1.0"
version_info = (0, 1, 0, 0)

#: The newest Tornado whose API this is.
tornado_version = "6.6.1"
tornado_version_info = (6, 6, 1, 0)
