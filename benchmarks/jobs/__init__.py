"""The jobs, one module for each kind: every one has them as ``JOBS``."""

from __future__ import annotations

import importlib

from benchmarks._model import Job

__all__ = ["MODULES", "all_jobs"]

#: In the order of the report.
MODULES = (
    "http",
    "latency",
    "growth",
    "websockets",
    "streams",
    "clients",
    "idle",
    "templates",
    "coroutines",
    "startup",
)


def all_jobs() -> tuple[Job, ...]:
    """Every job of every module."""
    modules = (importlib.import_module(f"benchmarks.jobs.{name}") for name in MODULES)
    return tuple(job for module in modules for job in module.JOBS)
