"""Runs a command with a PostgreSQL and a Redis of its own, named in BULKHEAD_POSTGRES_URL and BULKHEAD_REDIS_URL."""

import contextlib
import os
import subprocess
import sys

from stores import Stores

with contextlib.closing(Stores("postgres", "redis")) as servers:
    urls = {"BULKHEAD_POSTGRES_URL": servers.settings["postgres"]["url"], "BULKHEAD_REDIS_URL": servers.settings["redis"]["url"]}
    sys.exit(subprocess.run(sys.argv[1:], env=os.environ | urls).returncode)
