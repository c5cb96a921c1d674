"""The key that a unit connects with: made here, in the uplink's own folder, and never leaving it.

It is worth a connection and nothing else, so the process that faces the network may hold it. Its file is
named after its public half: a renewed certificate says which it belongs to, and a kill between making the one
and taking the other leaves both.
"""

import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cli.files import write_new_file
from edge.config import Places
from sync.uplink.credentials import key_file
from sync.wire import keys


def make_key(places: Places, unit: str) -> bytes:
    """Make a P-256 key for the uplink; gives the request to have it certified, PKCS #10 in DER.

    Raises:
        FileRefused: the folder takes no file.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    places.uplink.mkdir(mode=0o700, parents=True, exist_ok=True)  # a box put back from a backup has none yet
    path = key_file(places.uplink, keys.kid(public))
    write_new_file(path, private, mode=0o600)
    owner = places.uplink.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:  # the folder is the uplink's, whoever makes the unit
        os.chown(path, owner.st_uid, owner.st_gid)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, unit)])
    asked = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return asked.public_bytes(serialization.Encoding.DER)
