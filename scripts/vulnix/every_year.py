#!/usr/bin/env python3
"""Runs vulnix with every year of CVE ids instead of the last six: its own six would leave an old system nearly clean."""
import datetime
import sys

from vulnix import nvd
from vulnix.main import main

own_start = nvd.NVD.__init__


def start(self, *arguments, **options):
    own_start(self, *arguments, **options)
    self.available_archives = list(range(2002, datetime.date.today().year + 1))


nvd.NVD.__init__ = start
sys.argv[0] = "vulnix"
main()
