"""What both ends of an enrolment over HTTPS know: paths, types, codes. RFC 7030.

The paths, the authentication and the bodies of certificates are those of the RFC. A unit enrols with more
than a key for TLS, and believes nothing that no root has signed, so it sends its own signed request and gets
its own signed bundle, under content types of their own; a client of the standard sends PKCS #10 and gets
PKCS #7.
"""

from typing import Final

BASE: Final = "/.well-known/est"
CA_CERTIFICATES: Final = f"{BASE}/cacerts"
ATTRIBUTES: Final = f"{BASE}/csrattrs"
ENROL: Final = f"{BASE}/simpleenroll"
RENEW: Final = f"{BASE}/simplereenroll"

PKCS10: Final = "application/pkcs10"
PKCS7: Final = "application/pkcs7-mime"
REQUEST: Final = "application/vnd.qafila.request"
BUNDLE: Final = "application/vnd.qafila.bundle"
CERTIFICATE: Final = "application/vnd.qafila.certificate"
CODE_HEADER: Final = "Qafila-Code"
"""Why something was refused, as a stable code."""

MOST_BYTES: Final = 64 * 1024
