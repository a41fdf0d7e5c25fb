package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// control does commands to a cluster.
type control struct {
	cluster *kfake.Cluster
	// What was planned for requests of each API since it was last healed.
	planned map[string][]plan
}

// plan is a misfortune of so many requests.
type plan interface {
	Hits() int
	Remove()
}

func newControl(cluster *kfake.Cluster) *control {
	return &control{cluster, map[string][]plan{}}
}

// do does a command and gives its answer; APIs have Kafka's names, and errors Kafka's numbers.
func (c *control) do(command, rest string) (string, error) {
	switch command {
	case "topic": // NAME PARTITIONS [CONFIG=VALUE...]
		return "", c.topic(strings.Fields(rest))
	case "move": // TOPIC PARTITION BROKER
		return "", c.move(rest)
	case "shuffle": // gives each partition another leader, by chance
		c.cluster.ShufflePartitionLeaders()
		return "", nil
	case "fail": // API CODE COUNT: the next COUNT requests are refused; -1 is all
		return "", c.fail(rest)
	case "cut": // API COUNT: the next COUNT requests have their connections closed instead of being done
		return "", c.cut(rest)
	case "stall": // API MILLISECONDS COUNT: the next COUNT requests are done so much later
		return "", c.stall(rest)
	case "hint": // LEADER EPOCH COUNT: the next COUNT Produce requests are told that LEADER leads, with EPOCH
		return "", c.hint(rest)
	case "throttle": // MILLISECONDS: the next InitProducerId request is answered with a throttle time
		return "", c.throttle(rest)
	case "heal": // API: ends all that is planned for it, and says how many requests were struck
		return c.heal(rest), nil
	}
	return "", errors.New("unknown command")
}

func (c *control) topic(words []string) error {
	var name string
	var partitions int32
	if _, err := fmt.Sscan(strings.Join(words, " "), &name, &partitions); err != nil {
		return err
	}
	configs := map[string]string{}
	for _, word := range words[2:] {
		config, value, _ := strings.Cut(word, "=")
		configs[config] = value
	}
	return c.cluster.CreateTopic(name, partitions, configs)
}

func (c *control) move(rest string) error {
	var topic string
	var partition, broker int32
	if _, err := fmt.Sscan(rest, &topic, &partition, &broker); err != nil {
		return err
	}
	return c.cluster.MoveTopicPartition(topic, partition, broker)
}

func (c *control) fail(rest string) error {
	var api string
	var code int16
	var count int
	if _, err := fmt.Sscan(rest, &api, &code, &count); err != nil {
		return err
	}
	key, err := keyOf(api)
	if err != nil {
		return err
	}
	answer, known := kerr.ErrorForCode(code).(*kerr.Error)
	if !known || answer.Code != code {
		return fmt.Errorf("unknown error code %d", code)
	}
	fault := kfake.Fault{Keys: []kmsg.Key{key}, Err: answer, Count: count}
	c.planned[api] = append(c.planned[api], c.cluster.Fault(fault))
	return nil
}

func (c *control) heal(api string) string {
	hits := 0
	for _, plan := range c.planned[api] {
		plan.Remove()
		hits += plan.Hits()
	}
	delete(c.planned, api)
	return fmt.Sprint(hits)
}

func keyOf(api string) (kmsg.Key, error) {
	for key := range kmsg.Key(kmsg.MaxKey + 1) {
		if strings.EqualFold(key.Name(), api) {
			return key, nil
		}
	}
	return 0, fmt.Errorf("unknown API %q", api)
}
