"""A gRPC server (grpcio) for tests; messages are plain bytes.

Prints "name value" lines, then "ready"; ends when its standard input does.
"""

import contextlib
import os
import socket
import sys
import threading
import time
from concurrent import futures

import grpc


class Peer(grpc.GenericRpcHandler):
    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.cancelled = threading.Semaphore(0)

    def service(self, details):
        name = details.method.removeprefix("/test.Peer/")
        method = getattr(self, "do_" + name, None)
        return grpc.unary_unary_rpc_method_handler(method) if method else None

    def do_Echo(self, request, _context):
        return request

    def do_Remaining(self, _request, context):
        """The deadline as the server sees it, in whole seconds; "none" without one."""
        left = context.time_remaining()
        # Without a deadline grpcio gives a value beyond all reason.
        return b"none" if left is None or left > 1e9 else str(round(left)).encode()

    def do_Shown(self, _request, context):
        """What the caller shows of itself; "nothing" without."""
        return dict(context.invocation_metadata()).get("authorization", "nothing").encode()

    def do_Big(self, request, _context):
        return b"x" * int(request)

    def do_Fail(self, request, context):
        """Request: "<status number> <message>"."""
        number, _, message = request.decode().partition(" ")
        code = next(c for c in grpc.StatusCode if c.value[0] == int(number))
        context.abort(code, message)

    def do_Hang(self, _request, context):
        """Waits until the client gives up."""
        gone = threading.Event()
        self.begun.release()
        if context.add_callback(gone.set):
            gone.wait()
        self.cancelled.release()
        return b""

    def do_HasBegun(self, _request, _context):
        """Answers once a call of Hang has begun."""
        self.begun.acquire()
        return b""

    def do_WasCancelled(self, _request, _context):
        """Answers once a call of Hang has been given up."""
        self.cancelled.acquire()
        return b"yes"

    def do_Die(self, _request, _context):
        os._exit(0)


def listen(serve):
    """Another port, where each connection is given to `serve` and closed after it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            connection, _ = listener.accept()
            with connection:
                serve(connection)

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def hang_up(connection):
    """Ends the connection without an answer, 50 ms after the request began."""
    connection.recv(1)
    time.sleep(0.05)


def say_nothing(connection):
    with contextlib.suppress(OSError):
        while connection.recv(65536):
            pass


def main():
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=64),
        options=[("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)],
    )
    server.add_generic_rpc_handlers((Peer(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"grpc {port}")
    print(f"hang-up {listen(hang_up)}")
    print(f"mute {listen(say_nothing)}")
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main()
