"""Tests for ``txtornado.iostream``."""
