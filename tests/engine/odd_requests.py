"""Some two hundred requests that servers may understand in different ways."""

READ = "POST /read HTTP/1.1\r\nHost: a\r\n"
UNREAD = "POST /reset HTTP/1.1\r\nHost: a\r\n"
NEXT = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
BODY = "a=1&b=2"
CHUNKS = "7\r\na=1&b=2\r\n0\r\n\r\n"

FIRST_LINES = [
    *("GET / HTTP/1.0", "GET / HTTP/1.1", "GET / HTTP/1.2", "GET / HTTP/2.0"),
    *("GET / HTTP/0.9", "GET / HTTP/11", "GET / http/1.1", "GET / HTTP/1.1 ", "GET /"),
    *("GET  / HTTP/1.1", "GET\t/ HTTP/1.1", " GET / HTTP/1.1", "get / HTTP/1.1"),
    *(
        "GET / HTTP/1.1\r",
        "\r\nGET / HTTP/1.1",
        "\r\n\r\nGET / HTTP/1.1",
        "\nGET / HTTP/1.1",
    ),
    *("HEAD / HTTP/1.1", "BREW / HTTP/1.1", "G=T / HTTP/1.1", "OPTIONS * HTTP/1.1"),
    *(
        "CONNECT a:80 HTTP/1.1",
        "GET http://b/ HTTP/1.1",
        "GET //b/ HTTP/1.1",
        "GET ? HTTP/1.1",
    ),
    *(
        "GET /#a HTTP/1.1",
        "GET /%00 HTTP/1.1",
        "GET /\xff HTTP/1.1",
        "GET /\0 HTTP/1.1",
    ),
    *(
        "GET /a b HTTP/1.1",
        "GET /static/../ HTTP/1.1",
        "PRI * HTTP/2.0",
        "\x16\x03\x01\x02\0",
    ),
    "PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\nGET / HTTP/1.1",
]
HEADERS = [
    *(
        "Host: b",
        "Host:",
        "Host : a",
        " Host: a",
        "Host\t: a",
        ": a",
        "Host",
        "X",
        "X: \0",
    ),
    *(
        "X: a\rb",
        "X: a\nb",
        "X: a\r\n b",
        "X: a\r\n\tb",
        "X-\xe4: a",
        "X: \xe4",
        "X Y: a",
    ),
    *(
        "Connection: close",
        "Connection: keep-alive",
        "Connection: Close, x",
        "Connection: x",
    ),
    *("Expect: 100-continue", "Expect: 100-Continue", "Expect: foo", "Expect: "),
    *(
        "Upgrade: h2c",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: ",
    ),
    *(
        "X_Y: a",
        "Script_Name: /a",
        "SCRIPT-NAME: /read",
        "Content_Length: 7",
        "Trailer: X",
    ),
    *("Content-Type: a\r\nContent-Type: b", "Keep-Alive: 300", "TE: trailers"),
]
LENGTHS = [
    *(
        "7",
        "07",
        "0000000000000000007",
        "0" * 400 + "7",
        " 7",
        "7 ",
        "\t7\t",
        "+7",
        "-7",
        "7.0",
    ),
    *(
        "7,7",
        "7, 7",
        "7 7",
        "0x7",
        "7e0",
        "\xb2",
        "'7'",
        "",
        " ",
        "seven",
        "9" * 19,
        "9" * 400,
    ),
    *(
        "6",
        "8",
        "0",
        "7\r\nContent-Length: 7",
        "7\r\nContent-Length: 0",
        "7\r\n 0",
        "7\0",
        "7;",
    ),
    *("0\r\nContent-Length: 7", "7\r\nX: a", "1048577"),
]
LENGTH_NAMES = [
    "content-length",
    "Content-Length ",
    "Content_Length",
    "Content-Length\t",
    "Content-Lengt\u0068",
]
CODINGS = [
    *(
        "chunked",
        "Chunked",
        " chunked",
        "chunked ",
        "\tchunked",
        "chunked,",
        ",chunked",
        "xchunked",
    ),
    *(
        "chunked, chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "gzip, chunked",
        "chunked, gzip",
    ),
    *(
        "identity",
        "identity, chunked",
        "chunked, identity",
        "gzip",
        "",
        '"chunked"',
        "chunked;q=1",
    ),
    *(
        "chunked\r\nTransfer-Encoding: identity",
        "identity\r\nTransfer-Encoding: chunked",
    ),
    *("chu\r\n nked", "chunked\0", "\x0bchunked", "deflate", "x, chunked"),
]
CHUNKED = [
    CHUNKS,
    "7;a=b\r\na=1&b=2\r\n0\r\n\r\n",
    '7;a="b;\\""\r\na=1&b=2\r\n0\r\n\r\n',
    "7 ;a\r\na=1&b=2\r\n0\r\n\r\n",
    "7;\r\na=1&b=2\r\n0\r\n\r\n",
    "7;a\rb\r\na=1&b=2\r\n0\r\n\r\n",
    "7 \r\na=1&b=2\r\n0\r\n\r\n",
    " 7\r\na=1&b=2\r\n0\r\n\r\n",
    "+7\r\na=1&b=2\r\n0\r\n\r\n",
    "0x7\r\na=1&b=2\r\n0\r\n\r\n",
    "07\r\na=1&b=2\r\n0\r\n\r\n",
    "0000000000000000000007\r\na=1&b=2\r\n0\r\n\r\n",
    "7\na=1&b=2\n0\n\n",
    "7\r\na=1&b=2\n0\r\n\r\n",
    "7\r\na=1&b=2X\r\n0\r\n\r\n",
    "6\r\na=1&b=2\r\n0\r\n\r\n",
    "8\r\na=1&b=2\r\n0\r\n\r\n",
    "3\r\na=1\r\n4\r\n&b=2\r\n0\r\n\r\n",
    "7\r\na=1&b=2\r\n0\r\nX: a\r\n\r\n",
    "7\r\na=1&b=2\r\n0\r\nContent-Length: 5\r\n\r\n",
    "7\r\na=1&b=2\r\n0\r\nHost: b\r\n\r\n",
    "7\r\na=1&b=2\r\n0\r\nX\r\n\r\n",
    "7\r\na=1&b=2\r\n0\r\nX: a\nY: b\r\n\r\n",
    "7\r\na=1&b=2\r\n00\r\n\r\n",
    "7\r\na=1&b=2\r\n0\r\n",
    "7\r\na=1&b=2\r\n0",
    "7\r\na=1&b=2\r\n",
    "7\r\na=1&",
    "7\r\n",
    "7",
    "",
    "z\r\n",
    "\r\n",
    "-7\r\na=1&b=2\r\n0\r\n\r\n",
    "0\r\n\r\n",
    "7FFFFFFFFFFFFFFFF\r\na=1&b=2\r\n0\r\n\r\n",
]


def with_body(head: str, field: str, body: str) -> str:
    """Return a request with a body, framed by that field, and another request behind it."""
    return f"{head}{field}\r\n\r\n{body}{NEXT}"


REQUESTS = [
    text.encode("latin-1")
    for text in (
        *(f"{line}\r\nHost: a\r\n\r\n{NEXT}" for line in FIRST_LINES),
        *(f"GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n{NEXT}" for header in HEADERS),
        "GET / HTTP/1.1\r\n\r\n" + NEXT,
        "GET / HTTP/1.1\nHost: a\n\n" + NEXT,
        with_body("GET / HTTP/1.1\r\nHost: a\r\n", "Content-Length: 7", BODY),
        with_body("POST /read HTTP/1.0\r\nHost: a\r\n", "Content-Length: 7", BODY),
        with_body(
            "POST /read HTTP/1.0\r\nHost: a\r\n", "Transfer-Encoding: chunked", CHUNKS
        ),
        with_body(READ, "X: a", BODY),
        *(with_body(READ, f"Content-Length: {length}", BODY) for length in LENGTHS),
        *(
            with_body(UNREAD, f"Content-Length: {length}", BODY)
            for length in LENGTHS[::3]
        ),
        *(with_body(READ, f"{name}: 7", BODY) for name in LENGTH_NAMES),
        *(
            with_body(READ, f"Transfer-Encoding: {coding}", CHUNKS)
            for coding in CODINGS
        ),
        *(
            with_body(
                READ, f"Content-Length: {length}\r\nTransfer-Encoding: {coding}", CHUNKS
            )
            for length in ("7", "0", "07")
            for coding in ("chunked", "identity", "x")
        ),
        with_body(READ, "Transfer_Encoding: chunked", CHUNKS),
        with_body(READ, "Transfer-Encoding : chunked", CHUNKS),
        *(with_body(READ, "Transfer-Encoding: chunked", chunks) for chunks in CHUNKED),
        *(
            with_body(UNREAD, "Transfer-Encoding: chunked", chunks)
            for chunks in CHUNKED[::2]
        ),
        with_body(READ + "Expect: 100-continue\r\n", "Content-Length: 7", BODY),
        with_body(READ + "Expect: foo\r\n", "Content-Length: 7", BODY),
        with_body(READ + "Connection: close\r\n", "Content-Length: 7", BODY),
        "GET /" + "a" * 5000 + " HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
        "GET / HTTP/1.1\r\nHost: a\r\nX: " + "a" * 9000 + "\r\n\r\n" + NEXT,
        "GET / HTTP/1.1\r\nHost: a\r\n" + "X: a\r\n" * 120 + "\r\n" + NEXT,
        NEXT * 3,
    )
]
