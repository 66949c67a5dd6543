"""A single-user server, or a service, of a few lines: starts at once and answers every request.

What it is called decides what it does, so that one configuration serves every case:
  mute...   never answers          fail...   ends at once with exit code 3
  hold...   waits before it listens until the file NAME.go is in STAND_IN_FOLDER
  stay...   does not end on SIGTERM until NAME.go is there
  real...   becomes the real jupyterhub-singleuser
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

server_name = os.environ.get("JUPYTERHUB_SERVER_NAME") or ""
user = os.environ.get("JUPYTERHUB_USER") or ""
role = server_name or user
full_name = f"{user}-{server_name}" if server_name else user
go = os.path.join(os.environ.get("STAND_IN_FOLDER", "."), full_name + ".go")
give_up_at = time.monotonic() + 60

if role.startswith("real"):
    program = os.path.join(os.path.dirname(sys.executable), "jupyterhub-singleuser")
    os.execv(program, [program, "--allow-root", *sys.argv[1:]])
if role.startswith("fail"):
    sys.exit(3)


def wait_for_go():
    while not os.path.exists(go) and time.monotonic() < give_up_at:
        time.sleep(0.05)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        if path.endswith("/env"):
            content = {
                key: value for key, value in os.environ.items() if key.startswith("JUPYTERHUB_") or key == "SHOP"
            }
        else:
            wanted = ("Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Upgrade")
            content = {
                "method": self.command,
                "path": self.path,
                "headers": {key: self.headers[key] for key in wanted if key in self.headers},
            }
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-JupyterHub-Version", "6.0.0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_):
        pass


def end(*_):
    def leave():
        if role.startswith("stay"):
            wait_for_go()
        os._exit(0)

    threading.Thread(target=leave).start()


signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
if role.startswith(("hold", "mute")):
    wait_for_go()
url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
if role.startswith("mute"):
    time.sleep(60)
ThreadingHTTPServer((url.hostname, url.port), Handler).serve_forever()
