"""A receiver of webhooks that verifies them with Standard Webhooks' own library, and answers as its path says.

Prints its port, then one line of JSON a request.
"""
import http.server
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SECRET = sys.argv[1]


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            Webhook(SECRET).verify(body, dict(self.headers))
            verdict = "verified"
        except WebhookVerificationError as error:
            verdict = str(error)
        status = int(self.path.rsplit("/", 1)[-1])
        print(json.dumps({"verdict": verdict, "id": self.headers["webhook-id"], "body": json.loads(body)}), flush=True)
        self.send_response(status)
        if status in (429, 503):
            self.send_header("Retry-After", "120")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_address[1], flush=True)
server.serve_forever()
