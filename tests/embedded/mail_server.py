"""A mail server for tests, of aiosmtpd: it says its port, then each mail that it takes, as one JSON object on a line.

python mail_server.py PORT [--starttls CERT KEY | --tls CERT KEY] [--login USER PASSWORD] [--refuse ADDRESS]
"""

import argparse
import asyncio
import email
import email.policy
import json
import ssl

from aiosmtpd.smtp import SMTP, AuthResult

options = argparse.ArgumentParser()
options.add_argument("port", type=int)
options.add_argument("--starttls", nargs=2)
options.add_argument("--tls", nargs=2)
options.add_argument("--login", nargs=2)
options.add_argument("--refuse")
given = options.parse_args()


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address == given.refuse:
            return "550 there is nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
        headers = [[name.lower(), str(value)] for name, value in mail.items()]
        seen = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": headers,
            "text": parts.get("text/plain"),
            "html": parts.get("text/html"),
            "tls": session.ssl is not None or bool(given.tls),
            "user": session.auth_data.login.decode() if session.authenticated else None,
        }
        print(json.dumps(seen), flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    wanted = [part.encode() for part in given.login]
    # Not handled: the server itself says how it came out.
    return AuthResult(success=[data.login, data.password] == wanted, handled=False, auth_data=data)


def context(files):
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(*files)
    return made


def protocol():
    return SMTP(
        Handler(),
        hostname="mail.test",
        tls_context=context(given.starttls) if given.starttls else None,
        require_starttls=bool(given.starttls),
        auth_required=bool(given.login),
        auth_require_tls=bool(given.starttls),
        authenticator=authenticate if given.login else None,
        loop=asyncio.get_running_loop(),
    )


async def serve():
    secure = context(given.tls) if given.tls else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", given.port, ssl=secure)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


asyncio.run(serve())
