"""Subscribes with python fedmsg's own library and says of each message whether fedmsg believes it.

    hear_fedmsg.py ENDPOINT CA_CERTIFICATE

Each message is answered with a line: {"topic", "envelope", "valid": fedmsg's verdict, "tampered": its verdict on the same message with a
changed body}. The first line, {"ready": true}, comes once the subscription is made.
"""

import copy
import json
import sys

import fedmsg.crypto
import zmq

CONFIGURATION = {
    "crypto_backend": "x509",
    "crypto_validate_backends": ["x509"],
    "crl_location": None,
    "crl_cache": None,
    "crl_cache_expiry": 10,
    "ca_cert_cache": None,
    "routing_policy": {},
    "routing_nitpicky": False,
}


def main():
    endpoint, certificate = sys.argv[1:]
    configuration = CONFIGURATION | {"ca_cert_location": certificate}
    socket = zmq.Context().socket(zmq.SUB)
    socket.setsockopt(zmq.SUBSCRIBE, b"org.example.")
    socket.connect(endpoint)
    say({"ready": True})
    while True:
        topic, text = socket.recv_multipart()
        envelope = json.loads(text)
        tampered = copy.deepcopy(envelope)
        tampered["msg"]["task"] = "another"
        say(
            {
                "topic": topic.decode(),
                "envelope": envelope,
                "valid": verdict(envelope, configuration),
                "tampered": verdict(tampered, configuration),
            }
        )


def verdict(envelope, configuration):
    if "signature" not in envelope:
        return None
    return bool(fedmsg.crypto.validate(copy.deepcopy(envelope), **configuration))


def say(document):
    print(json.dumps(document), flush=True)


main()
