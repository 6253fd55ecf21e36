"""An HTTP server for tests: HTTP/1.1 in the clear, HTTP/2 over TLS.

Prints "name value" lines, then "ready"; ends when its standard input does.
"""

import contextlib
import json
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import h2.config
import h2.connection
import h2.events


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def start_chunks(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def hold(self):
        """Says nothing until the client has gone."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.recv(1)

    def serve(self):
        url = urlparse(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if url.path == "/hello":
            self.answer(200, b"hello")
        elif url.path == "/etag":
            self.answer(200, b"tagged", [("ETag", query["tag"])])
        elif url.path == "/redirect":
            self.answer(302, b"elsewhere", [("Location", query["to"])])
        elif url.path == "/echo":
            seen = {
                "method": self.command,
                "body": body.decode("latin-1"),
                "headers": {k.lower(): v for k, v in self.headers.items()},
            }
            self.answer(200, json.dumps(seen).encode())
        elif url.path == "/status":
            extra = [("Retry-After", query["retry"])] if "retry" in query else []
            self.answer(int(query["code"]), b"no", extra)
        elif url.path == "/big":
            self.answer(200, b"x" * int(query["bytes"]))
        elif url.path == "/stream":
            self.start_chunks()
            for i in range(int(query["count"])):
                self.chunk(b"line %d\n" % i)
                time.sleep(float(query.get("pause", 0)))
            if "hold" in query:
                self.hold()
            else:
                self.chunk(b"")
        elif url.path == "/silent":
            self.hold()
        elif url.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        elif url.path == "/close":  # a kept connection that the server ends after its answer, unannounced
            self.answer(200, b"bye")
            self.wfile.flush()
            self.close_connection = True
        elif url.path == "/reset":  # the same, but the next request is met by a reset
            self.answer(200, b"bye")
            self.wfile.flush()
            self.close_connection = True
            self.connection.recv(1)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.answer(404, b"nothing here")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve


class H2Peer:
    """GET /hello, /connections (how many were accepted), /hold (one piece, then nothing)."""

    def __init__(self, certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["h2"])
        self.context = context
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            raw, _ = self.listener.accept()
            self.accepted += 1
            threading.Thread(target=self.serve, args=(raw,), daemon=True).start()

    def serve(self, raw):
        try:
            with self.context.wrap_socket(raw, server_side=True) as tls:
                self.talk(tls)
        except OSError:
            pass  # a client that does not trust us, or has gone

    def talk(self, tls):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        tls.sendall(connection.data_to_send())
        while data := tls.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self.answer(connection, event)
            tls.sendall(connection.data_to_send())

    def answer(self, connection, event):
        texts = ([part.decode() if isinstance(part, bytes) else part for part in pair] for pair in event.headers)
        headers = dict(texts)
        path = headers[":path"]
        bodies = {"/hello": b"hello", "/connections": str(self.accepted).encode(), "/hold": b"held"}
        status = "200" if path in bodies else "404"
        connection.send_headers(event.stream_id, [(":status", status)])
        connection.send_data(event.stream_id, bodies.get(path, b""), end_stream=path != "/hold")


def make_certificate(folder):
    certificate, key = f"{folder}/cert.pem", f"{folder}/key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )
    return certificate, key


def main():
    folder = tempfile.mkdtemp(prefix="http-peer-")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        certificate, key = make_certificate(folder)
        h2_peer = H2Peer(certificate, key)
        # A port that refuses: bound, so that nobody else takes it, but not listening.
        refusing = socket.socket()
        refusing.bind(("127.0.0.1", 0))
        print(f"http {server.server_port}")
        print(f"h2 {h2_peer.port}")
        print(f"refusing {refusing.getsockname()[1]}")
        print(f"ca {certificate}")
        print("ready", flush=True)
        sys.stdin.read()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
