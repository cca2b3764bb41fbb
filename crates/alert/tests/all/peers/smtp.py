"""An SMTP server (aiosmtpd) that wants STARTTLS and a password. Prints its port, then one line of JSON a mail."""
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, SMTP

certificate, key, wants_login = sys.argv[1], sys.argv[2], sys.argv[3] == "login"
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)


class Printer:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        print(json.dumps({
            "tls": session.ssl is not None,
            "to": envelope.rcpt_tos,
            "headers": {name.lower(): value for name, value in mail.items()},
            "text": mail.get_content(),
        }), flush=True)
        return "250 kept"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 no such user here"
        if address.startswith("later"):
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    # `handled` would mean that this function has answered the client itself.
    return AuthResult(success=(data.login, data.password) == (b"aux", b"correct horse"), handled=False)


class Server(Controller):
    def factory(self):
        return SMTP(self.handler, tls_context=context, require_starttls=True, auth_required=wants_login,
                    authenticator=authenticate, hostname="localhost")


controller = Server(Printer(), hostname="127.0.0.1", port=0)
# The controller connects to the port it was given, so the port has to be a real one.
import socket
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    controller.port = probe.getsockname()[1]
controller.start()
print(controller.port, flush=True)
import threading
threading.Event().wait()
