"""A client of the node's API: JSON-RPC 2.0, one object a line, over a Unix socket."""
import json
import socket


class Refused(Exception):
    """The API answered with an error; .code, .message and .data are its members."""

    def __init__(self, method, error):
        super().__init__(f"{method}: {error}")
        self.code = error.get("code")
        self.message = error.get("message")
        self.data = error.get("data")


class Client:
    def __init__(self, path, timeout=60):
        self.path = path
        self.timeout = timeout
        self.socket = None
        self.number = 0

    def connect(self):
        self.close()
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(self.timeout)
        try:
            made.connect(str(self.path))
        except OSError:
            made.close()
            raise
        self.socket = made
        self.buffer = b""

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def call(self, method, **parameters):
        """The result; raises Refused, or OSError when nobody listens (the next call connects anew)."""
        if not self.socket:
            self.connect()
        self.number += 1
        request = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": parameters}
        try:
            self.socket.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(self.line())
        except (OSError, ValueError):
            self.close()
            raise
        assert answer.get("jsonrpc") == "2.0" and answer.get("id") == self.number, answer
        if "error" in answer:
            raise Refused(method, answer["error"])
        return answer["result"]

    def line(self):
        while b"\n" not in self.buffer:
            part = self.socket.recv(1 << 20)
            if not part:
                raise ConnectionResetError("the API closed the connection")
            self.buffer += part
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line
