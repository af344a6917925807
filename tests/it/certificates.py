"""Reads a DCC with pydcc, and units with dsiUnits: prints what they say as JSON.

Usage: certificates.py DOCUMENT UNITS, the latter a file with units as r"\\metre" in it.
"""

import json
import re
import sys
import types

# pydcc checks XML signatures with certvalidator, whose oscrypto knows no recent OpenSSL; there are none here.
stub = types.ModuleType("certvalidator")
stub.CertificateValidator = stub.ValidationContext = stub.errors = None
sys.modules["certvalidator"] = stub

import dcc.dcc  # noqa: E402
from dsi_unit import DsiUnit  # noqa: E402

# It would download schemas.
dcc.dcc.DCCXMLValidator = lambda *_, **__: None


def check(unit):
    parsed = DsiUnit(unit)
    if not parsed.valid or getattr(parsed, "warnings", None):
        sys.exit(f"{unit}: {getattr(parsed, 'warnings', 'not valid')}")


document, source = sys.argv[1:]
text = open(document, encoding="utf-8").read()
written = set(re.findall(r"<si:unit(?:XMLList)?>([^<]*)<", text))
known = set(re.findall(r'r"(\\[^"]*)"', open(source, encoding="utf-8").read()))
for unit in written | known:
    check(unit)
certificate = dcc.dcc.DCC(xml_file_name=document, signature_verification=False)
assert certificate.is_loaded() and written
print(json.dumps({
    "uid": certificate.uid(),
    "version": certificate.version(),
    "laboratory": certificate.calibration_laboratory_name(),
    "serial": certificate.item_id()["identifications"]["identification"][0]["value"],
    "date": certificate.calibration_date().strftime("%Y-%m-%d"),
    "results": {name.strip(): value for name, value in certificate.get_calibration_results("name", "en")},
    "units": len(known),
}))
