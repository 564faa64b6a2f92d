"""Programs written for Tornado, unchanged, on txtornado: its demos, and packages from PyPI."""
