#!/usr/bin/env python3
"""Checks documents against their published schemas: scripts/validate.py KIND FILE [KIND FILE]...

KIND is cyclonedx, sarif, openvex or junit; run scripts/schemas.sh first. Everything runs offline. Exit codes: 0 all are
valid, 1 one is not, 2 nothing could be said.
"""

import json
import pathlib
import sys
import urllib.parse
import xml.etree.ElementTree

SCHEMAS = pathlib.Path(__file__).resolve().parent.parent / "target" / "peers" / "schemas"
MISSES_SHOWN = 20

# Kind to the schema of its documents, and the schemas that one points to by relative name.
KINDS = {
    "cyclonedx": ("bom-1.6.SNAPSHOT.schema.json", ["spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json"]),
    "sarif": ("sarif-2.1.0.schema.json", []),
}


def no_duplicates(pairs):
    """A JSON object as a dict; a key that stands twice makes the document ambiguous."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the key {name!r} stands twice")
    return dict(pairs)


def misses_of_json(kind, text):
    document = json.loads(text, object_pairs_hook=no_duplicates)
    if kind == "openvex":
        yield from misses_of_openvex(document)
        return
    yield from misses_of_schema(kind, document)
    if kind == "cyclonedx":
        yield from dangling_references(document)


def misses_of_schema(kind, document):
    import jsonschema
    import referencing
    import referencing.jsonschema

    name, others = KINDS[kind]
    schema = json.loads((SCHEMAS / name).read_text())
    registry = referencing.Registry()
    for other in others:
        contents = json.loads((SCHEMAS / other).read_text())
        resource = referencing.Resource.from_contents(contents, default_specification=referencing.jsonschema.DRAFT7)
        # References are relative to where the schema says it lives (JSON Schema draft 7, section 8.2).
        registry = registry.with_resource(urllib.parse.urljoin(schema["$id"], other), resource)
    checker = jsonschema.validators.validator_for(schema)
    checker.check_schema(schema)
    # Every format is checked, whichever draft named it first: draft 4 knows `uri-reference` by no name.
    formats = jsonschema.FormatChecker()
    for needed in ("date-time", "uri", "uri-reference", "iri-reference"):
        if needed not in formats.checkers:
            raise ImportError(f"nothing checks the format {needed}")
    validator = checker(schema, registry=registry, format_checker=formats)
    for error in validator.iter_errors(document):
        yield f"{error.json_path}: {error.message}"


def misses_of_openvex(document):
    """No package ships OpenVEX's schema, so these are the rules of its text (version 0.2.0)."""
    for name in ("@context", "@id", "author", "timestamp", "version", "statements"):
        if not document.get(name) and name != "statements":
            yield f"$: {name} is missing"
    if document.get("@context") != "https://openvex.dev/ns/v0.2.0":
        yield "$.@context: another version"
    seen = set()
    for number, statement in enumerate(document.get("statements", [])):
        where = f"$.statements[{number}]"
        if not statement.get("vulnerability", {}).get("name"):
            yield f"{where}: no vulnerability is named"
        if not statement.get("products") or not all(product.get("@id") for product in statement["products"]):
            yield f"{where}: no product"
        # Each status has a sentence it must come with, or none.
        needed = {"not_affected": "impact_statement", "affected": "action_statement", "fixed": None,
                  "under_investigation": None}
        status = statement.get("status")
        if status not in needed:
            yield f"{where}: the status {status!r} is none"
        elif needed[status] and not statement.get(needed[status]) and not statement.get("justification"):
            yield f"{where}: {status} needs {needed[status]}"
        text = json.dumps(statement, sort_keys=True)
        if text in seen:
            yield f"{where}: stands twice"
        seen.add(text)


def dangling_references(document):
    """Every reference must lead to a component, and no two things may share one: the schema cannot say so."""
    names = [part["bom-ref"] for part in document.get("components", []) + document.get("vulnerabilities", [])]
    if len(names) != len(set(names)):
        yield "$: a bom-ref stands twice"
    for vulnerability in document.get("vulnerabilities", []):
        for affected in vulnerability.get("affects", []):
            if affected["ref"] not in names:
                yield f"$.vulnerabilities: {affected['ref']} is nowhere"


def misses_of_junit(text):
    """JUnit has no schema of record: it must be well-formed, and its counts must be true."""
    root = xml.etree.ElementTree.fromstring(text)
    if root.tag != "testsuites":
        yield f"the root is {root.tag}"
    for node in [root, *root.iter("testsuite")]:
        for attribute, tag in [("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")]:
            real = sum(1 for _ in node.iter(tag))
            if node.get(attribute) != str(real):
                yield f"{node.get('name')}: {attribute} is {node.get(attribute)}, there are {real}"


def main(arguments):
    if len(arguments) < 2 or len(arguments) % 2:
        print(__doc__, file=sys.stderr)
        return 2
    valid = True
    for kind, path in zip(arguments[::2], arguments[1::2]):
        try:
            text = pathlib.Path(path).read_bytes()
            misses = list(misses_of_junit(text) if kind == "junit" else misses_of_json(kind, text))
        except (ValueError, xml.etree.ElementTree.ParseError) as error:
            misses = [f"unreadable: {error}"]
        except (ImportError, KeyError, OSError) as error:
            print(f"validate: {path}: cannot check ({error!r}); run scripts/schemas.sh", file=sys.stderr)
            return 2
        for miss in misses[:MISSES_SHOWN]:
            print(f"validate: {path}: {miss}"[:2000], file=sys.stderr)
        if len(misses) > MISSES_SHOWN:
            print(f"validate: {path}: and {len(misses) - MISSES_SHOWN} more", file=sys.stderr)
        valid = valid and not misses
        print(f"{path}: {'valid' if not misses else 'not valid'} {kind}")
    return 0 if valid else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
