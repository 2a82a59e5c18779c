"""Publishes with python fedmsg what standard input orders, on a ZeroMQ socket bound to loopback.

    publish_fedmsg.py DIRECTORY PORT

An order is a line of JSON: {"topic": "bodhi.update...", "msg": {...}, "signed": bool, "times": n}, or {"topic", "raw": hex} for
bytes that are no envelope. Each is answered with a line, {"sent": envelope}. Certificates are made in DIRECTORY; each signed
envelope is checked by fedmsg itself before it is answered.
"""

import datetime
import json
import sys
from pathlib import Path

import fedmsg.config
import fedmsg.core
import fedmsg.crypto
import fedmsg.encoding
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

NAME = "bodhi.localhost"


def main():
    directory, port = Path(sys.argv[1]), int(sys.argv[2])
    make_certificates(directory)
    (directory / "fedmsg.d").mkdir(exist_ok=True)
    configuration = {
        "endpoints": {NAME: [f"tcp://127.0.0.1:{port}"]},
        "topic_prefix": "org.fedoraproject",
        "environment": "prod",
        "name": NAME,
        "high_water_mark": 0,
        "io_threads": 1,
        "post_init_sleep": 0,
        "zmq_linger": 2000,
        "sign_messages": False,
        "validate_signatures": False,
        "crypto_backend": "x509",
        "ssldir": str(directory),
        "certnames": {NAME: NAME},
        "ca_cert_location": str(directory / "ca.crt"),
        "crl_location": None,
        "crl_cache": None,
        "routing_policy": {},
        "routing_nitpicky": False,
    }
    (directory / "fedmsg.d" / "test.py").write_text(f"config = {configuration!r}\n")
    context = fedmsg.core.FedMsgContext(**fedmsg.config.load_config([], None, filenames=[str(directory / "fedmsg.d" / "test.py")]))
    answer({"ready": True})
    for line in sys.stdin:
        obey(context, json.loads(line))


def obey(context, order):
    if "raw" in order:
        topic = f"org.fedoraproject.prod.{order['topic']}".encode()
        context.publisher.send_multipart([topic, bytes.fromhex(order["raw"])])
        answer({"sent": None})
        return
    sent = {}
    context.c["sign_messages"] = order.get("signed", False)
    modname, topic = order["topic"].split(".", 1)
    context.publish(topic=topic, msg=order["msg"], modname=modname, pre_fire_hook=sent.update)
    if order.get("signed") and not fedmsg.crypto.validate(sent, **context.c):
        sys.exit("fedmsg does not believe its own signature")
    frames = [sent["topic"].encode(), fedmsg.encoding.dumps(sent).encode()]
    for _ in range(order.get("times", 1) - 1):
        context.publisher.send_multipart(frames)
    answer({"sent": json.loads(frames[1])})


def answer(document):
    print(json.dumps(document), flush=True)


def make_certificates(directory):
    """A certificate authority and the publisher's certificate under it, as fedmsg looks for them."""
    if (directory / "ca.crt").exists():
        return
    ca_key, key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    ca_name, name = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("Test CA", NAME))
    ca = certificate(ca_name, ca_name, ca_key, ca_key, is_ca=True)
    leaf = certificate(name, ca_name, key, ca_key, is_ca=False)
    encoding = serialization.Encoding.PEM
    private = (encoding, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    (directory / f"{NAME}.key").write_bytes(key.private_bytes(*private))
    (directory / f"{NAME}.crt").write_bytes(leaf.public_bytes(encoding))
    (directory / "ca.crt").write_bytes(ca.public_bytes(encoding))


def certificate(subject, issuer, key, issuer_key, is_ca):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    return builder.sign(issuer_key, hashes.SHA256())


main()
