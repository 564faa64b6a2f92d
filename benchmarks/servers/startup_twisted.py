"""For ``twistd -n web --class=startup_twisted.Hello``."""

from twisted.web.resource import Resource


class Hello(Resource):
    isLeaf = True

    def render_GET(self, request):
        return b"Hello, world"
