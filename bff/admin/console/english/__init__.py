"""English for the words of the screens, by the Chinese that stands in templates, forms and scripts.

One module for an area of the console; `shared` has what several areas say. What stands in two of them must be the same.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

ENGLISH: dict[str, str] = {}
for _module in iter_modules(__path__):
    ENGLISH.update(import_module(f"{__name__}.{_module.name}").ENGLISH)
