"""A service as the documentation of JupyterHub has it: tells people who they are."""

import json
import os
from urllib.parse import urlparse

from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from tornado.ioloop import IOLoop
from tornado.web import Application, RequestHandler, authenticated


class WhoAmI(HubOAuthenticated, RequestHandler):
    @authenticated
    def get(self):
        model = self.get_current_user()
        self.set_header("Content-Type", "application/json")
        self.write(json.dumps({"name": model["name"], "scopes": sorted(model["scopes"])}))


prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
app = Application(
    [(prefix + "oauth_callback", HubOAuthCallbackHandler), (prefix + ".*", WhoAmI)],
    cookie_secret=os.urandom(32),
)
url = urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
app.listen(url.port, url.hostname)
IOLoop.current().start()
