"""A web server for tests that answers requests for parts of files."""

import contextlib
import http.server
import re
import threading


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, or parts of its files as they are asked for."""

    def do_GET(self):
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not asked:
            super().do_GET()
            return
        first, last = map(int, asked.groups())
        with open(self.translate_path(self.path), "rb") as file:
            file.seek(first)
            data = file.read(last - first + 1)
        self.send_response(206)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve(handler, folder):
    """Serve a folder in a thread; give the server's host and port."""

    def handle(*arguments):
        return handler(*arguments, directory=str(folder))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handle) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
