"""A stand-in for WeChat that speaks its wire formats, for development and tests. Never for production."""

from sandbox.config import Config
from sandbox.web import create_app

__all__ = ["Config", "create_app"]
