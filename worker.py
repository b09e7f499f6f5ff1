"""``python worker.py``: serves workflows and activities until it is told to stop."""

from __future__ import annotations

import sys

from statebag.app.serve import main

if __name__ == "__main__":
    sys.exit(main())
