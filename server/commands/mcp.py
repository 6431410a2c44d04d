"""`offhook mcp`: calls as tools of AI agents."""

from typing import Annotated

import typer

from server.commands.options import LOCAL, KeyOption, UrlOption, fail

Http = Annotated[bool, typer.Option("--http", help="Serve HTTP at /mcp, not stdio.")]
Host = Annotated[str, typer.Option(help="Where HTTP listens.")]
Port = Annotated[int, typer.Option(min=1, max=65535)]


def mcp(
    http: Http = False,
    host: Host = "127.0.0.1",
    port: Port = 8090,
    url: UrlOption = LOCAL,
    key: KeyOption = "",
) -> None:
    """Offer a running node's calls to AI agents by the Model Context Protocol.

    Over stdio with the key that is given; over HTTP with the key of each request.
    """
    try:
        from server.mcp import build_server
    except ImportError as error:
        raise fail(f"this needs the extra `mcp`: pip install 'offhook[mcp]' ({error})") from error
    if http:
        build_server(url, None).run("streamable-http", host=host, port=port, stateless_http=True)
    elif key:
        build_server(url, key).run()
    else:
        raise fail("give a key: --key or OFFHOOK_KEY")
