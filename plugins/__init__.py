"""The subcommands of ``twistd tornado``: each module here offers one.

A module of this package, also one that another distribution drops in beside these, holds an
object that provides `txtornado.interfaces.IApplicationPlugin`.  All of them are imported
when the command is, so they must import what is heavy inside their methods.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
__all__: list[str] = []
