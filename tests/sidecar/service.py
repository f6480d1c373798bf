"""A service in another language, behind a proxy: tells what reached it, answers preflights, echoes over WebSockets, and keeps
metadata of its users by way of the sidecar."""

import base64
import hashlib
import http.server
import json
import sys
import threading
import urllib.error
import urllib.request

SIDECAR = sys.argv[1]
reached = []
lock = threading.Lock()


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer goes out in one piece.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self):
        body = self.body()
        if self.path == "/_reached":
            with lock:
                told, reached[:] = reached[:], []
            return self.answer(200, told)
        told = {"method": self.command, "path": self.path, "body": body.decode("latin-1"), "headers": self.headers.items()}
        with lock:
            reached.append(told)
        if self.path.endswith("/updateinfo"):
            return self.update(body)
        asked = self.headers.get("Upgrade", "").lower() == "websocket" and "upgrade" in self.headers.get("Connection", "").lower()
        if asked and "Sec-WebSocket-Key" in self.headers:
            return self.echo()
        self.answer(200, {"service": True})

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_PURGE = do_GET

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def update(self, body):
        headers = {"Authorization": self.headers["Authorization"], "Content-Type": "application/json"}
        update = urllib.request.Request(SIDECAR + "/metadata", data=body, headers=headers, method="PATCH")
        try:
            with urllib.request.urlopen(update) as answer:
                self.answer(200, json.load(answer))
        except urllib.error.HTTPError as refused:
            self.answer(refused.code, json.load(refused))

    def echo(self):
        """RFC 6455, for short texts in one frame each."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        while len(head := self.rfile.read(2)) == 2 and head[0] == 0x81:
            mask = self.rfile.read(4)
            text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.rfile.read(head[1] & 0x7F)))
            text = b"echo " + text
            self.wfile.write(bytes([0x81, len(text)]) + text)
            self.wfile.flush()

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if origin := self.headers.get("Origin"):
            self.send_header("Access-Control-Allow-Origin", origin)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    # Connections that proxies keep open must not keep the process.
    daemon_threads = True
    request_queue_size = 64


server = Server(("127.0.0.1", 0), Service)
print(server.server_port, flush=True)
server.serve_forever()
