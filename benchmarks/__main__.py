"""``python -m benchmarks``."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever has none reads this
    sys.exit("python -m benchmarks: this needs Python 3.11 or later")
if not sys.platform.startswith("linux"):
    sys.exit("python -m benchmarks: this is for Linux: it reads /proc, and its load needs epoll")

from benchmarks._command import main

sys.exit(main())
