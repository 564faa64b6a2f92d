"""HTTP on Starlette, under uvicorn with httptools."""

import uvicorn
from _common import CHUNK, CHUNKS, HEADING, ROWS, jinja_environment, listener, options
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from uvicorn.supervisors import Multiprocess

options = options()
templates = Jinja2Templates(env=jinja_environment())


async def hello(request):
    return HTMLResponse("Hello, world")


async def item(request):
    query = request.query_params
    return JSONResponse(
        {
            "item": request.path_params["item"],
            "page": int(query.get("page", "1")),
            "sort": query.get("sort", "name"),
            "tags": query.getlist("tag"),
            "session": request.cookies.get("session"),
        }
    )


async def page(request):
    return templates.TemplateResponse(request, "page.html", {"heading": HEADING, "rows": ROWS})


async def form(request):
    async with request.form() as data:
        return PlainTextResponse(f"Thanks, {data['name']} of {data['town']}")


async def upload(request):
    async with request.form() as data:
        return PlainTextResponse(str(len(await data["file"].read())))


async def chunks():
    for _ in range(CHUNKS):
        yield CHUNK


async def stream(request):
    return StreamingResponse(chunks())


async def body(request):
    return PlainTextResponse(str(len(await request.body())))


async def section(request):
    return PlainTextResponse(request.path_params["item"])


routes = [
    Route("/", hello),
    Route("/api/items/{item:int}", item),
    Route("/page", page),
    Route("/form", form, methods=["POST"]),
    Route("/upload", upload, methods=["POST"]),
    Route("/stream", stream),
    Route("/body", body, methods=["POST"]),
    Mount("/static", StaticFiles(directory=options.static)),
]
routes += [Route(f"/section{number}/{{item}}", section) for number in range(options.routes)]
app = Starlette(routes=routes)

if __name__ == "__main__":
    listener = listener()
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        "http_starlette:app" if options.processes > 1 else app,
        loop="asyncio",
        http="httptools",
        log_level="error",
        access_log=False,
        workers=options.processes,
    )
    if options.processes > 1:
        Multiprocess(config, sockets=[listener]).run()
    else:
        uvicorn.Server(config).run(sockets=[listener])
