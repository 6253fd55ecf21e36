"""Logs: one line for each event, a constant message and named values; JSON, or text for a terminal."""

from __future__ import annotations

import datetime
import json
import logging
import sys
from typing import Any

logger = logging.getLogger("rl_arena")


class _Lines(logging.Formatter):
    def __init__(self, as_json: bool):
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = getattr(record, "fields", {})
        when = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line = {
            "time": when.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **fields,
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        if self._as_json:
            return json.dumps(line, ensure_ascii=False, default=str)
        values = " ".join(f"{key}={value}" for key, value in list(line.items())[3:])
        return f"{line['time']} {line['level']:7} {line['message']} {values}".rstrip()


def setup(style: str, level: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Lines(style == "json"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logger.setLevel(level.upper())


def info(message: str, **fields: Any) -> None:
    logger.info(message, extra={"fields": fields})


def warning(message: str, **fields: Any) -> None:
    logger.warning(message, extra={"fields": fields})


def fault(message: str, **fields: Any) -> None:
    """With the exception that is being handled."""
    logger.error(message, extra={"fields": fields}, exc_info=True)
