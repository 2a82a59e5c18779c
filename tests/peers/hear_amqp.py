"""Consumes with python fedora-messaging what is published below `org.example.`.

    hear_amqp.py AMQP_URL

Each message is validated by the class that its headers name and answered with a line: {"topic", "id", "class", "severity", "sent", "body"}.
The first line, {"ready": true}, comes once the queue is bound.
"""

import json
import sys

from fedora_messaging import api, config
from twisted.internet import reactor

QUEUE = "heard"


def main():
    config.conf.load_config()
    config.conf.update(amqp_url=sys.argv[1], passive_declares=False)
    bindings = [{"queue": QUEUE, "exchange": "amq.topic", "routing_keys": ["org.example.#"]}]
    queues = {QUEUE: {"durable": False, "auto_delete": False, "exclusive": False, "arguments": {}}}
    consumers = api.twisted_consume(hear, bindings=bindings, queues=queues)
    consumers.addCallbacks(lambda _: say({"ready": True}), lambda failure: failure.printTraceback())
    reactor.run()


def hear(message):
    message.validate()
    say(
        {
            "topic": message.topic,
            "id": message.id,
            "class": type(message).__name__,
            "severity": message.severity,
            "sent": message._headers.get("sent-at"),
            "body": message.body,
        }
    )


def say(document):
    print(json.dumps(document), flush=True)


main()
