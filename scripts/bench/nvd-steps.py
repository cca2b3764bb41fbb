#!/usr/bin/env python3
"""Cuts yearly NVD files into what was there at the end of each of the last days.

    nvd-steps.py FOLDER-OF-GZ LAST-DAY DAYS OUTPUT

writes OUTPUT/base.json with every record last modified before the days, and OUTPUT/YYYY-MM-DD.json with the records
last modified on each of them. The first files up to a day, together, are what a publisher would have had that evening:
a record changed later is missing, so a step holds at least what a real day adds.
"""

import datetime
import glob
import gzip
import json
import os
import sys


def main():
    folder, last, days, output = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    end = datetime.date.fromisoformat(last)
    wanted = [(end - datetime.timedelta(days=back)).isoformat() for back in reversed(range(days))]
    parts = {day: [] for day in ["base", *wanted]}
    head = None
    for path in sorted(glob.glob(os.path.join(folder, "*.json.gz"))):
        document = json.load(gzip.open(path))
        head = head or {key: value for key, value in document.items() if key != "vulnerabilities"}
        for entry in document["vulnerabilities"]:
            day = entry["cve"]["lastModified"][:10]
            if day < wanted[0]:
                parts["base"].append(entry)
            elif day in parts:
                parts[day].append(entry)
    os.makedirs(output, exist_ok=True)
    for name, entries in parts.items():
        document = dict(head, vulnerabilities=entries, totalResults=len(entries), resultsPerPage=len(entries))
        with open(os.path.join(output, name + ".json"), "w") as file:
            json.dump(document, file)


main()
