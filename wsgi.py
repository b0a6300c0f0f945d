"""The web application: the domain, then its faces."""

import bff
from app import create_app
from app.settings import Settings

app = create_app(Settings.from_env())
bff.init_app(app)
