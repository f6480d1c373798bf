"""A service in another language: says who calls it, and keeps metadata of that user by way of the sidecar."""

import http.server
import json
import re
import sys
import urllib.error
import urllib.request

SIDECAR = sys.argv[1]
IDENTITY = ("X-User-Id", "X-Session-Handle", "X-Tenant-Id")
LOWER = [name.lower() for name in IDENTITY]


class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        seen = {name: self.headers.get_all(name) for name in IDENTITY}
        # Many services see headers as CGI does, which makes one name of `X-User-Id`, `X_User_Id` and `X.User.Id`.
        others = [name for name in self.headers if re.sub("[^a-z0-9]", "-", name.lower()) in LOWER and name.lower() not in LOWER]
        self.answer(200, seen | {"path": self.path, "method": self.command, "others": others})

    do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET

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
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
print(server.server_port, flush=True)
server.serve_forever()
