"""``python -m txtornado.httpclient URL``: fetch and print."""

from txtornado.httpclient import main

if __name__ == "__main__":
    main()
