"""Send a notice by mail: encrypted where the server can, and never a password in the clear."""

from __future__ import annotations

import contextlib
import hashlib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from syncd.service.notify_formats import mail
from syncd.service.notify_words import Notice, Refusal

__all__ = ["Mail"]

_host_name = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*").fullmatch


@dataclass(frozen=True, slots=True)
class Mail:
    """
    One mail server and whom it brings notices to; *timeout* is in seconds.

    With *implicit* the server speaks TLS from the first byte (RFC 8314), else when asked.
    """

    host: str
    port: int
    sender: str
    to: Sequence[str]
    timeout: float
    clock: Callable[[], datetime]
    implicit: bool = False
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None

    def send(self, notice: Notice) -> Refusal | None:
        """Send once; return why it did not arrive, None if it did."""
        try:
            message = self._message(notice)
            return self._bring(message)
        except smtplib.SMTPRecipientsRefused as exc:
            return _refused("every address", min(code for code, _ in exc.recipients.values()))
        except smtplib.SMTPAuthenticationError as exc:
            return _refused("the user and password", exc.smtp_code)
        except smtplib.SMTPResponseException as exc:
            return _refused("the mail", exc.smtp_code)
        except smtplib.SMTPNotSupportedError:
            why = "the mail server cannot sign anybody in, or does not know such addresses"
            return Refusal(why, lasting=True)
        except (smtplib.SMTPException, OSError) as exc:
            return Refusal(_why(exc))
        except ValueError:
            return Refusal("sender or an address of to is not a mail address", lasting=True)

    def _bring(self, message: EmailMessage) -> Refusal | None:
        server = self._connect()
        try:
            if not self._open(server):
                why = "the mail server offers no encryption, so the password was not sent"
                return Refusal(why, lasting=True)
            server.send_message(message)
            # The mail is taken; what goes wrong while taking leave would send it again.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
            return None
        finally:
            server.close()

    def close(self) -> None:
        """Do nothing: each mail has its own connection."""

    def _connect(self) -> smtplib.SMTP:
        name = socket.gethostname()
        # By itself the library would ask the network for a longer name, and may wait for long.
        name = name if _host_name(name) else "localhost"
        if self.implicit:
            return smtplib.SMTP_SSL(
                self.host, self.port, name, timeout=self.timeout, context=self._trust()
            )
        return smtplib.SMTP(self.host, self.port, name, timeout=self.timeout)

    def _open(self, server: smtplib.SMTP) -> bool:
        """Encrypt and sign in; return False if there is a password and no encryption."""
        server.ehlo()
        safe = isinstance(server, smtplib.SMTP_SSL)
        if not safe and server.has_extn("starttls"):
            server.starttls(context=self._trust())
            server.ehlo()
            safe = True
        if self.user is None:
            return True
        if safe:
            server.login(self.user, self.password or "")
        return safe

    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.ca_file is not None:
            context.load_verify_locations(cafile=self.ca_file)
        return context

    def _message(self, notice: Notice) -> EmailMessage:
        domain = parseaddr(self.sender)[1].rpartition("@")[2] or "localhost"
        message = EmailMessage()
        message["Subject"] = f"[syncd] {notice.title}"
        message["From"] = self.sender
        message["To"] = ", ".join(self.to)
        message["Date"] = format_datetime(self.clock())
        message["Message-ID"] = _name(notice.id, domain)
        message["References"] = _name(notice.thread, domain)
        message["Auto-Submitted"] = "auto-generated"  # nobody's absence answers it (RFC 3834)
        message.set_content(mail(notice))
        return message


def _name(ident: str, domain: str) -> str:
    """Name a mail by what it tells: one that is sent again is recognised by its name."""
    return f"<{hashlib.sha256(ident.encode()).hexdigest()[:32]}@{domain}>"


def _refused(what: str, code: int) -> Refusal:
    return Refusal(f"the mail server refused {what} ({code})", lasting=code >= 500)


def _why(exc: Exception) -> str:
    if isinstance(exc, TimeoutError):
        return "the mail server did not answer in time"
    if isinstance(exc, ssl.SSLCertVerificationError):
        return "the mail server's certificate is not trusted"
    if isinstance(exc, ConnectionRefusedError | socket.gaierror):
        return "the mail server could not be reached"
    return f"the connection to the mail server failed ({type(exc).__name__})"
