"""twisted.web in both directions.

An application of Tornado's in a tree of resources::

    root = Resource()
    root.putChild(b"app", ApplicationResource(application))
    Site(root)

A resource of Twisted's in an application::

    Application([
        (r"/files/(.*)", ResourceHandler, {"resource": File("/srv/files")}),
        (r"/", MainHandler),
    ])

Both stream responses no faster than the client takes them, and pass it on when the client goes.
Ours; Tornado has nothing of the kind.
"""

from txtornado.resource._application import ApplicationResource
from txtornado.resource._handler import ResourceHandler

__all__ = ["ApplicationResource", "ResourceHandler"]
