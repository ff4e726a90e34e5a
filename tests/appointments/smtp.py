"""A mail server on loopback that speaks just enough SMTP, and refuses when told to."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Mails:
    """What has arrived, as (recipients, text); ``refuse`` is how many more are turned away first."""

    def __init__(self) -> None:
        self.arrived: list[tuple[list[str], str]] = []
        self.refuse = 0
        self.port = 0


@contextmanager
def mail_server() -> Iterator[Mails]:
    mails = Mails()

    class Talk(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            to: list[str] = []
            self.say("220 loopback")
            while line := self.rfile.readline().decode():
                word = line[:4].upper().strip()
                if word == "DATA":
                    to = self.take(to)
                elif word == "RCPT":
                    to.append(line.partition("<")[2].partition(">")[0])
                    self.say("250 ok")
                elif word == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def take(self, to: list[str]) -> list[str]:
            self.say("354 go on")
            lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
            text = "".join(lines)
            if mails.refuse:
                mails.refuse -= 1
                self.say("451 try again later")
            else:
                mails.arrived.append((to, text))
                self.say("250 kept")
            return []

        def say(self, words: str) -> None:
            self.wfile.write(f"{words}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) as server:
        mails.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield mails
        finally:
            server.shutdown()
            thread.join()
