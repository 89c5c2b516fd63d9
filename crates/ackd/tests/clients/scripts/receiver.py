"""standardwebhooks: takes webhooks, verifies each with a secret, and tells what comes of it as a line."""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

webhook = Webhook(sys.argv[1])


def tell(event):
    print(json.dumps(event), flush=True)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        name = self.headers["webhook-id"]
        try:
            data = webhook.verify(body, dict(self.headers))
        except WebhookVerificationError as error:
            tell({"event": "refused", "path": self.path, "id": name, "why": str(error)})
            self.answer(401)
        else:
            tell({"event": "verified", "path": self.path, "id": name, "data": data})
            self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """What matters is told."""


server = HTTPServer(("127.0.0.1", 0), Receiver)
tell({"event": "listening", "port": server.server_port})
server.serve_forever()
