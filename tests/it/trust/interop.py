"""The other side of the interoperability tests: securesystemslib's DSSE and pyca/cryptography's keys.

keygen PRIVATE PUBLIC          makes a key pair, prints its key id
sign PRIVATE TYPE PAYLOAD OUT  signs a file into an envelope
verify PUBLIC ENVELOPE         checks an envelope, prints the artifact's digest
"""

import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey


def keyid(public):
    der = public.public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def keygen(private_file, public_file):
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    Path(private_file).write_bytes(pem)
    public = private.public_key()
    pem = public.public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
    Path(public_file).write_bytes(pem)
    print(keyid(public))


def sign(private_file, payload_type, payload_file, out):
    private = s.load_pem_private_key(Path(private_file).read_bytes(), password=None)
    public = private.public_key()
    signer = CryptoSigner(private, SSlibKey.from_crypto(public, keyid=keyid(public)))
    envelope = Envelope(Path(payload_file).read_bytes(), payload_type, {})
    envelope.sign(signer)
    Path(out).write_text(json.dumps(envelope.to_dict()))


def verify(public_file, envelope_file):
    public = s.load_pem_public_key(Path(public_file).read_bytes())
    envelope = Envelope.from_dict(json.loads(Path(envelope_file).read_text()))
    envelope.verify([SSlibKey.from_crypto(public, keyid=keyid(public))], 1)
    print(hashlib.sha256(envelope.pae()).hexdigest())


{"keygen": keygen, "sign": sign, "verify": verify}[sys.argv[1]](*sys.argv[2:])
