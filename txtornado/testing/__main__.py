"""``python -m txtornado.testing package.module``: run tests."""

from txtornado.testing import main

if __name__ == "__main__":
    main()
