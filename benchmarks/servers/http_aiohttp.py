"""HTTP on aiohttp."""

import os

from _common import CHUNK, CHUNKS, HEADING, LIMIT, ROWS, jinja_environment, listener, options
from aiohttp import web

options = options()
jinja = jinja_environment()


async def hello(request):
    return web.Response(text="Hello, world", content_type="text/html")


async def item(request):
    query = request.query
    return web.json_response(
        {
            "item": int(request.match_info["item"]),
            "page": int(query.get("page", "1")),
            "sort": query.get("sort", "name"),
            "tags": query.getall("tag", []),
            "session": request.cookies.get("session"),
        }
    )


async def page(request):
    text = jinja.get_template("page.html").render(heading=HEADING, rows=ROWS)
    return web.Response(text=text, content_type="text/html")


async def form(request):
    data = await request.post()
    return web.Response(text=f"Thanks, {data['name']} of {data['town']}")


async def upload(request):
    # The documentation's way for large files.
    reader = await request.multipart()
    size = 0
    async for part in reader:
        while part.name == "file" and (chunk := await part.read_chunk()):
            size += len(chunk)
    return web.Response(text=str(size))


async def stream(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(CHUNKS):
        await response.write(CHUNK)
    await response.write_eof()
    return response


async def body(request):
    return web.Response(text=str(len(await request.read())))


async def section(request):
    return web.Response(text=request.match_info["item"])


app = web.Application(client_max_size=LIMIT)
app.add_routes(
    [
        web.get("/", hello),
        web.get("/api/items/{item:[0-9]+}", item),
        web.get("/page", page),
        web.post("/form", form),
        web.post("/upload", upload),
        web.get("/stream", stream),
        web.post("/body", body),
        web.static("/static", options.static),
    ]
)
app.add_routes(web.get(f"/section{number}/{{item}}", section) for number in range(options.routes))
listener = listener()
print(listener.getsockname()[1], flush=True)
for _ in range(options.processes - 1):
    if not os.fork():
        break
web.run_app(app, sock=listener, backlog=1024, print=None, access_log=None)
