"""A webhook's receiver for tests: it says its port, then each call as one JSON object on a line, with whether the signature is ours.

python receiver.py PORT KEY [HOW MANY CALLS ARE ANSWERED WITH 500]
"""

import hashlib
import hmac
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

port, key = int(sys.argv[1]), sys.argv[2].encode()
failing = int(sys.argv[3]) if len(sys.argv) > 3 else 0


def is_ours(key: bytes, headers: dict, body: bytes) -> bool:
    signed = headers["x-tidemill-timestamp"].encode() + b"." + body
    wanted = "sha256=" + hmac.new(key, signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, headers["x-tidemill-signature"])


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        global failing
        body = self.rfile.read(int(self.headers["content-length"]))
        status = 204
        if failing > 0:
            failing, status = failing - 1, 500
        seen = {
            "ours": is_ours(key, self.headers, body),
            "delivery": self.headers["x-tidemill-delivery"],
            "status": status,
            "body": json.loads(body),
        }
        print(json.dumps(seen), flush=True)
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", port), Receiver)
print(json.dumps({"port": server.server_port}), flush=True)
server.serve_forever()
