"""Publishes a file of messages as fast as it can.

    publish.py tcp://127.0.0.1:PORT HIGH_WATER_MARK FILE    libzmq: waits for a subscriber, then sends all
    publish.py amqp://... 0 FILE                            pika: empties the queue `bench` and fills it

A line of the file is topic, id and text with tabs between. Says "sent" when it is done, and keeps a ZeroMQ socket open.
"""

import sys
import time


def main():
    url, mark, path = sys.argv[1:]
    with open(path, "rb") as file:
        messages = [line.rstrip(b"\n").split(b"\t", 2) for line in file]
    (zeromq if url.startswith("tcp:") else amqp)(url, int(mark), messages)


def zeromq(url, mark, messages):
    import zmq

    socket = zmq.Context().socket(zmq.XPUB)
    socket.setsockopt(zmq.SNDHWM, mark)
    socket.bind(url)
    socket.recv()
    for topic, _, text in messages:
        socket.send_multipart((topic, text))
    print("sent", flush=True)
    time.sleep(600)


def amqp(url, _, messages):
    import pika

    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.queue_declare("bench", durable=True)
    channel.queue_purge("bench")
    channel.queue_bind("bench", "amq.topic", "#")
    headers = {"fedora_messaging_severity": 20, "sent-at": "2024-05-01T12:00:00+00:00"}
    for topic, message_id, text in messages:
        properties = pika.BasicProperties(
            message_id=message_id.decode(), content_type="application/json", delivery_mode=2, headers=headers
        )
        channel.basic_publish("amq.topic", topic.decode(), text, properties)
    while channel.queue_declare("bench", passive=True).method.message_count < len(messages):
        time.sleep(0.1)
    connection.close()
    print("sent", flush=True)


main()
