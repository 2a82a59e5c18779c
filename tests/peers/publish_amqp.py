"""Publishes with python fedora-messaging what standard input orders.

    publish_amqp.py AMQP_URL

An order is a line of JSON: {"topic": "bodhi.update...", "body": {...}}. The message is of the class that the official schema
package has for the topic, and is validated by it. Each is answered with a line, {"id": message id}, once the broker has
confirmed it; while the broker is away, the same message is tried again.
"""

import json
import sys
import time

from bodhi.messages.schemas import update
from fedora_messaging import api, config, exceptions
from koji_fedoramessaging_messages.build import BuildStateChangeV1

CLASSES = {
    each.topic: each
    for each in (update.UpdateRequestTestingV1, update.UpdateRequestStableV1, update.UpdateCompleteTestingV1, BuildStateChangeV1)
}


def main():
    config.conf.load_config()
    config.conf.update(
        amqp_url=sys.argv[1],
        topic_prefix="org.fedoraproject.prod",
        publish_exchange="amq.topic",
        passive_declares=False,
    )
    for line in sys.stdin:
        order = json.loads(line)
        message = CLASSES[order["topic"]](topic=order["topic"], body=order["body"])
        message.validate()
        publish(message)
        print(json.dumps({"id": message.id}), flush=True)


def publish(message):
    for _ in range(60):
        try:
            api.publish(message, timeout=10)
            return
        except (exceptions.PublishException, exceptions.ConnectionException, TimeoutError) as error:
            print(f"again, since: {error}", file=sys.stderr, flush=True)
            time.sleep(1)
    sys.exit("the broker does not come back")


main()
