"""A server of downloads that breaks off, refuses and lies."""

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 4000  # 1 MB
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT under every path, or `files` where it has the path."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.ranges = True  # honour Range headers
        self.statuses = []  # sent instead of the content, one a request
        self.break_after = []  # bytes to send before hanging up, one a request
        self.asked = []  # (path, Range header) of each request

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, wanted = self.server, self.headers["Range"]
        server.asked.append((self.path, wanted))
        if server.statuses:
            self.send_error(server.statuses.pop(0))
            return
        content = server.files.get(self.path, CONTENT)
        first = int(wanted.removeprefix("bytes=").rstrip("-")) if server.ranges else 0
        if first and first >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if server.ranges else 200)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        count = server.break_after.pop(0) if server.break_after else len(content)
        self.wfile.write(content[first : first + count])

    def log_message(self, *args):
        pass


@contextmanager
def serving():
    """Run a `Server` for a while."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
