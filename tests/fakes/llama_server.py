"""A llama-server of a few lines that misbehaves on demand. Standard library only, so that it starts fast.

It takes the real one's arguments, logs and answers like it, and asks for the key in LLAMA_API_KEY; what
`stage.write_engine` writes answers --version and --help. What it does besides is said by a JSON object in
the file MODEL.behaviour.json; see `stage.Behaviour`. With a `stage` (a Unix socket) it tells there what
happens to it and does as it is told. It ends when the stage does.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import threading
import time

TYPE_CHECKING = False  # without the cost of importing typing
if TYPE_CHECKING:
    from typing import Any

NOTICE_SECONDS = 0.003
USAGE = {
    "usage": {"completion_tokens": 3, "prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 2}},
    "timings": {"cache_n": 2, "prompt_n": 5, "prompt_per_second": 90.5, "predicted_n": 3}
    | {"predicted_per_second": 40.25},
}


class Stage:
    """The line to the test; without one, nothing is told and nothing is waited for."""

    def __init__(self, path: str | None) -> None:
        self._socket = None
        self._sending = threading.Lock()
        if path is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.connect(path)

    def tell(self, event: str, **facts: Any) -> None:
        if self._socket is not None:
            with self._sending:
                self._socket.sendall(json.dumps({"event": event, **facts}).encode() + b"\n")

    def follow(self, server: Server) -> None:
        if self._socket is None:
            return
        for line in self._socket.makefile():
            order = json.loads(line)
            if order["do"] == "die":
                log(*order["log"])
                os._exit(order["exit_code"])
            elif order["do"] == "ready":
                server.loaded.set()
            elif order["do"] == "go on":
                server.steps.release()
            elif order["do"] == "cut":
                server.cut.set()
            elif order["do"] == "refuse":
                server.refuse()
        os._exit(3)


class Server:
    def __init__(self, options: dict[str, str], behaviour: dict[str, Any], stage: Stage) -> None:
        self.options = options
        self.behaviour = behaviour
        self.stage = stage
        self.loaded = threading.Event()
        self.cut = threading.Event()
        self.steps = threading.Semaphore(0)
        self.active = 0
        self.is_ending = False
        self.counting = threading.Lock()

    def listen(self) -> None:
        host, port = self.options["--host"], int(self.options["--port"])
        try:
            self.listener = socket.create_server((host, port))
        except OSError:
            log(f"E srv         start: couldn't bind HTTP server socket, hostname: {host}, port: {port}")
            log("E srv  llama_server: exiting due to HTTP server error")
            os._exit(1)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        path = self.behaviour.get("hands_over_to")
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            if path and self.hands_over(connection, path):
                continue
            threading.Thread(target=self.converse, args=(connection,), daemon=True).start()

    def hands_over(self, connection: socket.socket, path: str) -> bool:
        """Whether it did: in the order in which connections came, as soon as one has said what it wants."""
        try:
            if is_health_check(connection.recv(1 << 16, socket.MSG_PEEK)):
                return False
            hand_over(connection, path)
        except OSError:
            connection.close()
        return True

    def refuse(self) -> None:
        """Take no further connection."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.stage.tell("refusing")

    def on_sigterm(self, *_: object) -> None:
        """Like the real one: dies while loading, hangs while it answers, else ends at once."""
        self.stage.tell("sigterm")
        if self.behaviour.get("ignores_sigterm"):
            return
        if not self.loaded.is_set():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
        self.is_ending = True
        if not self.active:
            os._exit(0)

    def converse(self, connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        try:
            while request := read_request(reader):
                self.answer(connection, *request)
        except OSError:
            pass
        finally:
            reader.close()
            connection.close()

    def answer(self, connection: socket.socket, method: str, path: str, headers: Any, body: bytes) -> None:
        if path == "/health":
            is_up = self.loaded.is_set()
            message = {"status": "ok"} if is_up else {"error": {"message": "Loading model", "code": 503}}
            # Where others answer the rest, nothing else may come over this connection.
            end = b"Connection: close\r\n" if self.behaviour.get("hands_over_to") else b""
            send_json(connection, 200 if is_up else 503, message, end)
            return
        with self.counting:
            self.active += 1
        try:
            self.stage.tell(
                "request",
                method=method,
                path=path,
                headers=headers,
                body=body.decode("latin-1"),
                client_port=connection.getpeername()[1],
            )
            self.serve(connection, path, headers, body)
        except ConnectionError:
            self.stage.tell("client left")
            raise
        finally:
            with self.counting:
                self.active -= 1
            if self.is_ending and not self.active:
                os._exit(0)

    def serve(self, connection: socket.socket, path: str, headers: Any, body: bytes) -> None:
        key = os.environ.get("LLAMA_API_KEY")
        if key and dict(headers).get("authorization") != f"Bearer {key}":
            send_json(connection, 401, {"error": {"message": "Invalid API Key", "code": 401}})
            return
        if self.behaviour.get("answers_when_told") and not self.await_step(connection):
            return
        if status := self.behaviour.get("refuses"):
            send_json(connection, status, {"error": {"message": "refused as told", "code": status}})
            return
        asked = json.loads(body or b"{}")
        if path.startswith("/slots/"):
            self.keep(connection, path, asked["filename"])
        elif path.partition("?")[0] == "/v1/models":
            send_json(connection, 200, {"object": "list", "data": [{"id": self.options["--alias"]}]})
        elif path.partition("?")[0] == "/props":
            send_json(
                connection, 200, {"default_generation_settings": {"n_ctx": self.behaviour.get("slot_tokens")}}
            )
        elif self.behaviour.get("reply") is not None and (
            not asked.get("stream") or self.behaviour["status"] != 200
        ):
            send_json(connection, self.behaviour["status"], self.behaviour["reply"])
        elif asked.get("stream"):
            self.stream(connection)
        else:
            said = {"role": "assistant", "content": f"{self.options['--alias']} at your service"}
            send_json(connection, 200, {"choices": [{"message": said}], "asked": asked, **USAGE})

    def keep(self, connection: socket.socket, path: str, name: str) -> None:
        """Save a slot's tokens to a file, or read them back."""
        file_name = os.path.join(self.options["--slot-save-path"], name)
        tokens = self.behaviour.get("cached_tokens", 0)
        if path.endswith("?action=save"):
            with open(file_name, "w") as file:
                file.write("x" * tokens)
            send_json(connection, 200, {"n_saved": tokens})
        elif self.behaviour.get("ignores_restore"):
            send_json(connection, 200, {"n_restored": 0})
        else:
            send_json(connection, 200, {"n_restored": os.path.getsize(file_name)})

    def stream(self, connection: socket.socket) -> None:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: text/event-stream\r\n"
            b"Access-Control-Allow-Origin: *\r\nKeep-Alive: timeout=5, max=100\r\n"
            b"Connection: keep-alive, X-Hop\r\nX-Hop: mine\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        words = [{"word": number} for number in range(self.behaviour.get("chunks", 3))]
        for number, event in enumerate(self.behaviour.get("events") or words):
            if number and not self.pause(connection):
                return
            send_chunk(connection, b"data: " + json.dumps(event).encode() + b"\n\n")
        send_chunk(connection, b"data: [DONE]\n\n")
        send_chunk(connection, b"")

    def pause(self, connection: socket.socket) -> bool:
        """Between two chunks: as long as the pace says, or until told. Whether to go on."""
        if self.behaviour.get("streams_when_told"):
            return self.await_step(connection)
        time.sleep(self.behaviour.get("pace_seconds", 0.0))
        return True

    def await_step(self, connection: socket.socket) -> bool:
        """Whether the next step may be taken; not once the client has left, or the cut was ordered."""
        while not self.steps.acquire(timeout=NOTICE_SECONDS):
            if self.cut.is_set():
                raise OSError("cut as told")
            if select.select([connection], [], [], 0)[0] and not connection.recv(1, socket.MSG_PEEK):
                self.stage.tell("client left")
                return False
        return True


def read_request(reader: Any) -> tuple[str, str, list[tuple[str, str]], bytes] | None:
    first = reader.readline().decode("latin-1").split()
    if not first:
        return None
    headers = []
    while line := reader.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers.append((name.lower(), value.strip()))
    return first[0], first[1], headers, read_body(reader, dict(headers))


def read_body(reader: Any, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") == "chunked":
        parts = []
        while size := int(reader.readline(), 16):
            parts.append(reader.read(size))
            reader.readline()
        reader.readline()
        return b"".join(parts)
    body: bytes = reader.read(int(headers.get("content-length", 0)))
    return body


def is_health_check(head: bytes) -> bool:
    """Those come without the key; what is passed on has it."""
    return head.startswith(b"GET /health ") and b"\r\nauthorization:" not in head.lower()


def hand_over(connection: socket.socket, path: str) -> None:
    """Whoever listens on that Unix socket goes on with the connection, from its first byte."""
    with connection, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(path)
        socket.send_fds(line, [b"1"], [connection.fileno()])


def send_json(connection: socket.socket, status: int, message: object, lines: bytes = b"") -> None:
    body = json.dumps(message).encode()
    head = f"HTTP/1.1 {status} X\r\nServer: llama.cpp\r\nContent-Type: application/json\r\n"
    connection.sendall(head.encode() + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def send_chunk(connection: socket.socket, content: bytes) -> None:
    connection.sendall(b"%x\r\n%b\r\n" % (len(content), content))


def log(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def read_behaviour(model: str) -> dict[str, Any]:
    try:
        with open(f"{model}.behaviour.json") as file:
            behaviour: dict[str, Any] = json.load(file)
            return behaviour
    except FileNotFoundError:
        return {}


def main(arguments: list[str]) -> None:
    options = dict(zip(arguments, arguments[1:], strict=False))
    model = options["--model"]
    behaviour = read_behaviour(model)
    stage = Stage(behaviour.get("stage"))
    stage.tell("spawned", model=model, pid=os.getpid(), argv=arguments, port=int(options["--port"]))
    log(f"I srv          main: loading model {model}")
    log(*behaviour.get("log", []))
    if behaviour.get("exit_code") is not None:
        os._exit(behaviour["exit_code"])
    server = Server(options, behaviour, stage)
    signal.signal(signal.SIGTERM, server.on_sigterm)
    server.listen()
    stage.tell("listening")
    threading.Thread(target=stage.follow, args=(server,), daemon=True).start()
    if not behaviour.get("loads_when_told"):
        server.loaded.set()
    if behaviour.get("leaves_a_child") and not os.fork():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stage.tell("child", pid=os.getpid())
    wait_for_signals()


def wait_for_signals() -> None:
    """Not signal.pause, which sleeps on where a signal came just before it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    while True:
        os.read(reading, 1)


main(sys.argv[1:])
