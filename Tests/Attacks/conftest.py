import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from fixtures import *  # noqa: E402, F403
from target import *  # noqa: E402, F403
