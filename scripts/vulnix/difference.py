#!/usr/bin/env python3
"""Counts what vulnix and aux report of one system, and sorts every pair that only one of them reports by its reason.

usage: difference.py VULNIX.json AUX.json AUX_PROGRAM GRAPH FEED.auxdb FOLDER_OF_1.1_FEEDS

A pair is (package name, version, CVE id). Reasons for vulnix's come from `aux audit --explain`; reasons for aux's come
from its evidence and, where the product bears the package's own name, from the record's configuration.
"""
import collections
import gzip
import json
import pathlib
import subprocess
import sys

vulnix_path, aux_path, aux, graph, feed, feeds = sys.argv[1:]
EXPLAINED = [
    ("applies on other systems only", "the record holds on another platform only (target_sw, or AND with an operating system)"),
    ("together with is not here", "AND with a product that the system does not have"),
    ("is about a plugin", "a plugin of that name, not the program"),
    ("is not that product", "another vendor's product of the same name"),
    ("; but ", "another vendor's product of the same name"),
    ("is in none of", "the version lies outside the range as aux orders versions (pre-releases, zeros, patch levels)"),
]
NO_PACKAGE = "no package: a source, a patch, a wheel or an environment that bears a package's name"


def vulnix_pairs():
    """Versions as aux writes them: vulnix keeps the output or `-src` at the end of a name."""
    return {(entry["pname"], entry["version"], cve)
            for entry in json.load(open(vulnix_path)) for cve in entry["affected_by"]}


def aux_findings():
    found = {}
    for target in json.load(open(aux_path))["targets"]:
        for finding in target["findings"]:
            for cve in [finding["id"], *finding["aliases"]]:
                found[finding["package"]["name"], finding["package"]["version"], cve] = finding
    return found


def why_only_vulnix(pair, explained={}):
    name, version, cve = pair
    if cve not in explained:
        command = [aux, "audit", graph, "--feed", feed, "--explain", cve]
        text = " ".join(subprocess.run(command, capture_output=True, text=True).stdout.split())
        explained[cve] = text
    after = [part for part in explained[cve].split(f" {name} {version} (")[1:]]
    if not after:
        return NO_PACKAGE
    # Each part runs until the next component's line; its own verdict stands at its start.
    for words, reason in EXPLAINED:
        if any(words in part[:260] for part in after):
            return reason
    return "other: " + after[0][:120]


def nodes(cve, product, years={}):
    """Version bounds of the record's vulnerable application matches for a product, as the 1.1 feed has them."""
    year = max(int(cve.split("-")[1]), 2002)
    if year not in years:
        with gzip.open(pathlib.Path(feeds) / f"nvdcve-1.1-{year}.json.gz") as file:
            years[year] = {item["cve"]["CVE_data_meta"]["ID"]: item["configurations"]["nodes"]
                           for item in json.load(file)["CVE_Items"]}
    stack, found = list(years[year].get(cve, [])), []
    while stack:
        node = stack.pop()
        stack += node["children"]
        found += [match for match in node["cpe_match"]
                  if match["vulnerable"] and match["cpe23Uri"].split(":")[2:5:2] == ["a", product]]
    return found


def why_only_aux(pair, finding):
    name, _, cve = pair
    product = next(item["text"] for item in finding["evidence"] if item["kind"] == "identity").split(": ")[0]
    part, *_, called = product.split(":")
    if name == "linux":
        return "the kernel: vulnix reads no CPE of part `o`"
    if part == "o":
        return "filed under CPE part `o`, which vulnix does not read"
    if called not in {name, name.replace("-", "_"), name.lower(), name.replace("-", "_").lower()}:
        return "NVD calls the package by another name"
    matches = nodes(cve, called)
    bounds = [match for match in matches if any(key.startswith("version") for key in match)]
    lists = [match for match in matches if match["cpe23Uri"].split(":")[5] not in "*-"]
    if not bounds and not lists:
        return "the record names no version: vulnix passes over it, aux takes every version"
    if not bounds:
        return "the record lists single versions; aux reads the range from the list or the sentence"
    return "a bound of the record, the sentence or the order of versions is read otherwise"


def show(title, reasons, examples):
    print(f"\n{title}: {sum(reasons.values())}")
    for reason, count in reasons.most_common():
        shown = ", ".join(f"{name} {number}" for name, number in examples[reason].most_common(6))
        print(f"{count:>6}  {reason}\n        {shown}")


def main():
    theirs, ours = vulnix_pairs(), aux_findings()
    affected = {pair for pair, finding in ours.items() if finding["state"] == "affected"}
    states = collections.Counter(finding["state"] for finding in ours.values())
    print(f"vulnix: {len(theirs)} pairs")
    print(f"aux: {len(affected)} pairs affected; other states: " +
          ", ".join(f"{state} {count}" for state, count in sorted(states.items()) if state != "affected"))
    print(f"both: {len(theirs & affected)}")
    other = collections.Counter(ours[pair]["state"] for pair in theirs if pair in ours and pair not in affected)
    print("vulnix reports, aux shows in another state: " + ", ".join(f"{s} {c}" for s, c in other.items()))
    for title, pairs, why in (
        ("only vulnix", (pair for pair in theirs if pair not in ours), why_only_vulnix),
        ("only aux", affected - theirs, lambda pair: why_only_aux(pair, ours[pair])),
    ):
        reasons, examples = collections.Counter(), collections.defaultdict(collections.Counter)
        for pair in sorted(pairs):
            reason = why(pair)
            reasons[reason] += 1
            examples[reason][pair[0]] += 1
        show(title, reasons, examples)


main()
