"""A real SMTP server for tests (Debian's python3-aiosmtpd). Prints its port, then each message it took as a JSON line.

Addresses say how it behaves: refused@ is refused for good, busy@ for now, hangs@ gets no answer, closes@ the door.
"""

import argparse
import asyncio
import email
import email.policy
import json
import logging
import ssl
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

# That a login without TLS is unwise is known: it is what is tested.
warnings.simplefilter("ignore")
logging.disable()


def tell(**what):
    print(json.dumps(what), flush=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "refused":
            return "550 5.1.1 no such mailbox"
        if name == "busy":
            return "451 4.2.0 try again later"
        if name == "hangs":
            await asyncio.sleep(3600)
        if name == "closes":
            server.transport.abort()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        tell(
            to=envelope.rcpt_tos,
            sender=envelope.mail_from,
            subject=message["Subject"],
            automatic=message["Auto-Submitted"],
            id=message["Message-ID"],
            body=message.get_content(),
            tls=session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None,
            login=getattr(session, "login", None),
        )
        return "250 taken"


def authenticator(account):
    def check(server, session, envelope, mechanism, data):
        name, _, secret = account.partition(":")
        good = data.login.decode() == name and data.password.decode() == secret
        if good:
            session.login = name
        # The worst kind of server: it says aloud what it was told.
        refusal = f"535 5.7.8 {data.password.decode()} is wrong"
        return AuthResult(success=good, message=None if good else refusal, handled=good or not refusal)

    return check


async def main():
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
    options.add_argument("--certificate")
    options.add_argument("--key")
    options.add_argument("--account")
    options = options.parse_args()
    context = None
    if options.tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.certificate, options.key)
    starttls = context if options.tls == "starttls" else None
    implicit = context if options.tls == "implicit" else None

    def connection():
        return SMTP(
            Handler(),
            hostname="mail.test",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=authenticator(options.account) if options.account else None,
            auth_required=options.account is not None,
            auth_require_tls=options.tls == "starttls",
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, "127.0.0.1", options.port, ssl=implicit)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
