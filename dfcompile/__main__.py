"""`python -m dfcompile`."""

import sys

from dfcompile.command.cli import main

sys.exit(main())
