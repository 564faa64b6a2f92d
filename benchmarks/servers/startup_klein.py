"""For ``twistd -n web --class=startup_klein.resource``."""

from klein import Klein

app = Klein()


@app.route("/")
def hello(request):
    return "Hello, world"


resource = app.resource
