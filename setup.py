"""Maps the two plugin folders; everything else stands in ``pyproject.toml``.

``plugins/`` is installed as ``txtornado.plugins``, and ``twisted/plugins/`` beside
Twisted's own plugins, which is where ``twistd`` looks for subcommands.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["txtornado", "txtornado.*"]),
        "txtornado.plugins",
        "twisted.plugins",
    ],
    package_dir={"txtornado.plugins": "plugins", "twisted.plugins": "twisted/plugins"},
    package_data={"txtornado": ["py.typed"], "txtornado.demo": ["templates/*", "static/*"]},
)
