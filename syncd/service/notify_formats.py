"""Notices as receivers want them: JSON of our own, Slack, Teams, and the text of a mail."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from syncd.service.notify_words import Notice

__all__ = ["generic", "mail", "slack", "teams"]

SCHEMA = "syncd.notice/1"
CARD = "http://adaptivecards.io/schemas/adaptive-card.json"
SECTION = 2900
"""Characters of a section: Slack refuses a message with one of more than 3,000."""

Document = dict[str, Any]


def generic(notice: Notice) -> Document:
    """Write a notice as `syncd.notice/1`."""
    return {
        "schema": SCHEMA,
        "id": notice.id,
        "environment": notice.environment or None,
        "event": notice.event,
        "phase": notice.phase or None,
        "title": notice.title,
        "since": notice.since,
        "at": notice.at,
        "meaning": notice.meaning or None,
        "lines": list(notice.lines),
        "items": [
            {
                name: value
                for name, value in asdict(item).items()
                if name in ("subject", "count", "limit", "detail")
            }
            for item in notice.items
        ],
        "new": notice.new,
        "commands": list(notice.commands),
        "link": notice.link,
    }


# --- Slack --------------------------------------------------------------------------------


def slack(notice: Notice) -> Document:
    """
    Write a notice for an incoming webhook of Slack.

    Names from other systems stand in plain text, where nothing is markup; only commands
    are marked up, with the three signs escaped that mean something to Slack.
    """
    blocks: list[Document] = [{"type": "header", "text": _plain(notice.title)}]
    blocks.append({"type": "section", "text": _plain("\n".join(_said(notice)))})
    if notice.commands:
        code = _escaped("\n".join(notice.commands))[:SECTION]
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": f"```{code}```"}})
    if notice.link:
        link = f"<{_escaped(notice.link)}|Open the console>"
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": link}]})
    return {"text": _escaped(notice.title), "blocks": blocks}


def _plain(text: str) -> Document:
    return {"type": "plain_text", "text": text[:SECTION], "emoji": False}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# --- Teams --------------------------------------------------------------------------------


def teams(notice: Notice) -> Document:
    """
    Write a notice for a Workflows webhook of Teams: a message with one adaptive card.

    Its texts are runs, which a card shows as they are; in other texts it would find markup.
    """
    body = [_run(notice.title, weight="Bolder", size="Medium")]
    body += [_run(line) for line in _said(notice)]
    body += [_run(command, fontType="Monospace") for command in notice.commands]
    card: Document = {"$schema": CARD, "type": "AdaptiveCard", "version": "1.4", "body": body}
    if notice.link:
        card["actions"] = [
            {"type": "Action.OpenUrl", "title": "Open the console", "url": notice.link}
        ]
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _run(text: str, **style: str) -> Document:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}


# --- mail ---------------------------------------------------------------------------------


def mail(notice: Notice) -> str:
    """Write the text of a mail."""
    parts = [notice.title, "\n".join(_said(notice))]
    parts += ["\n".join(f"    {command}" for command in notice.commands)]
    parts += [notice.link or ""]
    return "\n\n".join(part for part in parts if part) + "\n"


def _said(notice: Notice) -> list[str]:
    """Return the lines below the title."""
    when = f"since {notice.since}"
    if notice.phase == "ended":
        when = f"from {notice.since} to {notice.at}"
    elif notice.at != notice.since:
        when = f"since {notice.since}, as of {notice.at}"
    return [*notice.lines, *([notice.meaning] if notice.meaning else []), when]
