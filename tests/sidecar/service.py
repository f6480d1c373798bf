"""A service in another language: says who calls it, and keeps metadata of that user by way of the sidecar."""

import http.server
import json
import sys
import urllib.error
import urllib.request

SIDECAR = sys.argv[1]
IDENTITY = ("X-User-Id", "X-Session-Handle", "X-Tenant-Id")


class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, {name: self.headers.get_all(name) for name in IDENTITY})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.path.endswith("/updateinfo"):
            return self.do_GET()
        headers = {"Authorization": self.headers["Authorization"], "Content-Type": "application/json"}
        update = urllib.request.Request(SIDECAR + "/metadata", data=body, headers=headers, method="PATCH")
        try:
            with urllib.request.urlopen(update) as answer:
                self.answer(200, json.load(answer))
        except urllib.error.HTTPError as refused:
            self.answer(refused.code, json.load(refused))

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
print(server.server_port, flush=True)
server.serve_forever()
