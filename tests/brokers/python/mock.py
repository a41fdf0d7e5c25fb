"""Serves librdkafka's mock cluster, prints its addresses, and then does what each line of its input says.

Usage: mock.py BROKERS. It ends with its input. The commands are those of kfake (tests/brokers/go/kfake) as far as the mock
can do them, and some of its own.
"""

import sys

from librdkafka import MockCluster

APIS = {"Produce": 0, "Metadata": 3, "InitProducerId": 22}
# librdkafka's RD_KAFKA_RESP_ERR__TRANSPORT: the mock closes the connection.
TRANSPORT = -195


class Control:
    def __init__(self, cluster):
        self.cluster = cluster
        self.planned = {}

    def topic(self, name, partitions):
        self.cluster.command("topic_create", name, int(partitions), 3)

    def move(self, topic, partition, broker):
        self.cluster.command("partition_set_leader", topic, int(partition), int(broker))

    def fail(self, api, code, count):
        planned, before = self.planned.get(api, (0, self.cluster.requests(APIS[api])))
        self.planned[api] = planned + int(count), before
        self.cluster.push_errors(APIS[api], [int(code)] * int(count))

    def cut(self, api, count):
        self.fail(api, TRANSPORT, count)

    def heal(self, api):
        self.cluster.clear_errors(APIS[api])
        planned, before = self.planned.pop(api, (0, 0))
        return min(planned, self.cluster.requests(APIS[api]) - before)

    def down(self, broker):
        self.cluster.command("broker_set_down", int(broker))

    def up(self, broker):
        self.cluster.command("broker_set_up", int(broker))

    def rtt(self, broker, millis):
        self.cluster.command("broker_set_rtt", int(broker), int(millis))

    def refuse(self, topic, code):
        """Metadata gives this error for the topic; 0 ends that."""
        self.cluster.set_topic_error(topic, int(code))

    def rumour(self, topic, partition, broker, epoch):
        """The next Metadata answer names this leader and epoch."""
        self.cluster.command("partition_push_leader_response", topic, int(partition), int(broker), int(epoch))


def main():
    cluster = MockCluster(int(sys.argv[1]))
    print(cluster.servers, flush=True)
    control = Control(cluster)
    for line in sys.stdin:
        command, *words = line.split()
        try:
            answer = getattr(control, command)(*words)
            print("ok", "" if answer is None else answer, flush=True)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            print("error", f"{line.strip()}: {error!r}", flush=True)


main()
