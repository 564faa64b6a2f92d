"""A Bokeh server: a page, and a session over a WebSocket from a client in another thread."""

import threading
import traceback
import urllib.request

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.client import pull_session
from bokeh.models import Div, Slider
from bokeh.server.server import Server


def document(doc):
    slider, label = Slider(start=0, end=10, value=1, name="slider"), Div(name="label")
    slider.on_change("value", lambda name, old, new: setattr(label, "text", f"{old} -> {new}"))
    doc.add_root(slider)
    doc.add_root(label)


server = Server({"/app": Application(FunctionHandler(document))}, port=0, address="127.0.0.1")
url = f"http://127.0.0.1:{server.port}/app"


def client():
    with urllib.request.urlopen(url, timeout=30) as response:
        print("RESULT page:", response.status, "docs_json" in response.read().decode())
    session = pull_session(url=url)
    slider = session.document.get_model_by_name("slider")
    print("RESULT slider:", slider.value)
    slider.value = 7
    session.force_roundtrip()
    session.pull()
    print("RESULT label:", session.document.get_model_by_name("label").text)
    session.close()


def run():
    try:
        client()
    except BaseException:
        traceback.print_exc()
    finally:
        server.io_loop.add_callback(server.io_loop.stop)


server.start()
thread = threading.Thread(target=run)
thread.start()
server.io_loop.start()
thread.join()
server.stop()
