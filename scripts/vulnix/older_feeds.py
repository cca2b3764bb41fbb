#!/usr/bin/env python3
"""Writes NVD's yearly 2.0 files as the 1.1 files that vulnix 1.10 reads, with an empty file for each year that is not there.

usage: older_feeds.py FOLDER_OF_2.0_FILES FOLDER_TO_WRITE LAST_YEAR
"""
import gzip
import json
import pathlib
import re
import sys


def node(new):
    matches = [dict(vulnerable=match["vulnerable"], cpe23Uri=match["criteria"],
                    **{key: match[key] for key in match if key.startswith("version")}, cpe_name=[])
               for match in new["cpeMatch"]]
    return {"operator": new["operator"], "children": [], "cpe_match": matches}


def nodes(configurations):
    """An AND of several nodes was one node with children in 1.1; everything else stood side by side."""
    for configuration in configurations:
        inner = [node(new) for new in configuration["nodes"]]
        if configuration.get("operator") == "AND":
            yield {"operator": "AND", "children": inner, "cpe_match": []}
        else:
            yield from inner


def impact(metrics):
    scores = {}
    for version in ("cvssMetricV31", "cvssMetricV30"):
        if version in metrics and "baseMetricV3" not in scores:
            first = metrics[version][0]
            scores["baseMetricV3"] = {"cvssV3": first["cvssData"], "exploitabilityScore": first["exploitabilityScore"],
                                      "impactScore": first["impactScore"]}
    if "cvssMetricV2" in metrics:
        first = metrics["cvssMetricV2"][0]
        scores["baseMetricV2"] = {"cvssV2": first["cvssData"], "severity": first.get("baseSeverity")}
    return scores


def item(new):
    cve = new["cve"]
    problems = [{"description": weakness["description"]} for weakness in cve.get("weaknesses", [])]
    return {
        "cve": {
            "data_type": "CVE", "data_format": "MITRE", "data_version": "4.0",
            "CVE_data_meta": {"ID": cve["id"], "ASSIGNER": cve.get("sourceIdentifier", "")},
            "problemtype": {"problemtype_data": problems},
            "references": {"reference_data": cve.get("references", [])},
            "description": {"description_data": cve["descriptions"]},
        },
        "configurations": {"CVE_data_version": "4.0", "nodes": list(nodes(cve.get("configurations", [])))},
        "impact": impact(cve.get("metrics", {})),
        "publishedDate": cve["published"], "lastModifiedDate": cve["lastModified"],
    }


def write(path, items):
    document = {"CVE_data_type": "CVE", "CVE_data_format": "MITRE", "CVE_data_version": "4.0",
                "CVE_data_numberOfCVEs": str(len(items)), "CVE_Items": items}
    # No time of writing inside, so that the same data gives the same bytes.
    path.write_bytes(gzip.compress(json.dumps(document, separators=(",", ":")).encode(), 6, mtime=0))


def main():
    source, target, last_year = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
    target.mkdir(parents=True, exist_ok=True)
    years = {str(year) for year in range(2002, last_year + 1)} | {"modified"}
    for path in sorted(source.glob("nvdcve-2.0-*.json.gz")):
        year = re.fullmatch(r"nvdcve-2\.0-(\d+)\.json\.gz", path.name)[1]
        with gzip.open(path) as file:
            write(target / f"nvdcve-1.1-{year}.json.gz", [item(new) for new in json.load(file)["vulnerabilities"]])
        years.discard(year)
    for year in years:
        write(target / f"nvdcve-1.1-{year}.json.gz", [])


main()
