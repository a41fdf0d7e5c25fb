"""Reads and writes records with kafka-python and with librdkafka, one a line as line.py tells.

Usage:
    client.py CLIENT read SERVERS TOPIC          prints what the topic holds, each line after its offset
    client.py CLIENT write SERVERS TOPIC CODEC   writes its input

CLIENT is kafka-python or librdkafka.
"""

import sys

import confluent_kafka
import kafka

import line

LIMIT = 30


def read_with_kafka_python(servers, topic):
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=servers.split(","), auto_offset_reset="earliest", enable_auto_commit=False)
    partitions = [kafka.TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions)
    while any(consumer.position(p) < ends[p] for p in partitions):
        for records in consumer.poll(timeout_ms=1000).values():
            for r in records:
                print(r.offset, line.written(r.partition, r.timestamp, r.key, r.value, r.headers))
    consumer.close()


def read_with_librdkafka(servers, topic):
    consumer = confluent_kafka.Consumer({"bootstrap.servers": servers, "group.id": "reader", "log_level": 0})
    partitions = consumer.list_topics(topic, LIMIT).topics[topic].partitions
    partitions = [confluent_kafka.TopicPartition(topic, p, 0) for p in partitions]
    left = sum(consumer.get_watermark_offsets(p, LIMIT)[1] for p in partitions)
    consumer.assign(partitions)
    while left > 0:
        for r in consumer.consume(left, timeout=1):
            if r.error():
                raise SystemExit(str(r.error()))
            headers = r.headers() or []
            print(r.offset(), line.written(r.partition(), r.timestamp()[1], r.key(), r.value(), headers))
            left -= 1
    consumer.close()


def write_with_kafka_python(servers, topic, codec):
    producer = kafka.KafkaProducer(
        bootstrap_servers=servers.split(","), compression_type=None if codec == "none" else codec, linger_ms=20)
    sent = []
    for text in sys.stdin:
        partition, timestamp, key, value, headers = line.read(text)
        sent.append(producer.send(
            topic, partition=partition, timestamp_ms=timestamp, key=key, value=value, headers=headers))
    for record in sent:
        record.get(timeout=LIMIT)
    producer.close()


def write_with_librdkafka(servers, topic, codec):
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": servers, "compression.type": codec, "linger.ms": 20, "log_level": 0})
    failures = []

    def delivered(error, _):
        if error is not None:
            failures.append(str(error))

    for text in sys.stdin:
        partition, timestamp, key, value, headers = line.read(text)
        producer.produce(
            topic, partition=partition, timestamp=timestamp, key=key, value=value, headers=headers,
            on_delivery=delivered)
    if left := producer.flush(LIMIT):
        failures.append(f"{left} are left")
    if failures:
        raise SystemExit("\n".join(failures[:5]))


def main():
    match sys.argv[1:]:
        case ["kafka-python", "read", servers, topic]:
            read_with_kafka_python(servers, topic)
        case ["kafka-python", "write", servers, topic, codec]:
            write_with_kafka_python(servers, topic, codec)
        case ["librdkafka", "read", servers, topic]:
            read_with_librdkafka(servers, topic)
        case ["librdkafka", "write", servers, topic, codec]:
            write_with_librdkafka(servers, topic, codec)
        case _:
            raise SystemExit(__doc__)


main()
