package main

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// blow is what happens to a struck request, in the terms of kfake's control functions: an answer, or an error that closes
// the connection, and whether that is all. It runs where others wait for it, except while it sleeps.
type blow func(kmsg.Request) (kmsg.Response, error, bool)

// strike is a plan that a control function of kfake's carries out.
type strike struct {
	left atomic.Int64
	hits atomic.Int64
}

func (s *strike) Hits() int { return int(s.hits.Load()) }
func (s *strike) Remove()   { s.left.Store(0) }

// take is whether the next request is to be struck.
func (s *strike) take() bool {
	for left := s.left.Load(); left != 0; left = s.left.Load() {
		if s.left.CompareAndSwap(left, left-1) {
			s.hits.Add(1)
			return true
		}
	}
	return false
}

// strike plans a blow for the next count requests of an API.
func (c *control) strike(api string, count int, blow blow) error {
	key, err := keyOf(api)
	if err != nil {
		return err
	}
	strike := &strike{}
	strike.left.Store(int64(count))
	c.planned[api] = append(c.planned[api], strike)
	c.cluster.ControlKey(int16(key), func(request kmsg.Request) (kmsg.Response, error, bool) {
		c.cluster.KeepControl()
		if !strike.take() {
			return nil, nil, false
		}
		return blow(request)
	})
	return nil
}

func (c *control) cut(rest string) error {
	var api string
	var count int
	if _, err := fmt.Sscan(rest, &api, &count); err != nil {
		return err
	}
	return c.strike(api, count, func(kmsg.Request) (kmsg.Response, error, bool) {
		return nil, errors.New("cut"), true
	})
}

func (c *control) stall(rest string) error {
	var api string
	var millis, count int
	if _, err := fmt.Sscan(rest, &api, &millis, &count); err != nil {
		return err
	}
	return c.strike(api, count, func(kmsg.Request) (kmsg.Response, error, bool) {
		c.cluster.SleepControl(func() { time.Sleep(time.Duration(millis) * time.Millisecond) })
		return nil, nil, false
	})
}

func (c *control) hint(rest string) error {
	var leader, epoch int32
	var count int
	if _, err := fmt.Sscan(rest, &leader, &epoch, &count); err != nil {
		return err
	}
	return c.strike("Produce", count, func(request kmsg.Request) (kmsg.Response, error, bool) {
		return notLeader(request.(*kmsg.ProduceRequest), leader, epoch), nil, true
	})
}

// throttle gives a producer id that the cluster does not know of, which does not matter to it.
func (c *control) throttle(rest string) error {
	var millis int32
	if _, err := fmt.Sscan(rest, &millis); err != nil {
		return err
	}
	return c.strike("InitProducerId", 1, func(request kmsg.Request) (kmsg.Response, error, bool) {
		answer := request.ResponseKind().(*kmsg.InitProducerIDResponse)
		answer.ProducerID, answer.ProducerEpoch = 4242, 0
		answer.ThrottleMillis = millis
		return answer, nil, true
	})
}

// notLeader refuses all partitions of a request.
func notLeader(request *kmsg.ProduceRequest, leader, epoch int32) kmsg.Response {
	answer := request.ResponseKind().(*kmsg.ProduceResponse)
	for _, asked := range request.Topics {
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = asked.Topic, asked.TopicID
		for _, asked := range asked.Partitions {
			partition := kmsg.NewProduceResponseTopicPartition()
			partition.Partition = asked.Partition
			partition.ErrorCode = kerr.NotLeaderForPartition.Code
			partition.BaseOffset = -1
			partition.CurrentLeader.LeaderID = leader
			partition.CurrentLeader.LeaderEpoch = epoch
			topic.Partitions = append(topic.Partitions, partition)
		}
		answer.Topics = append(answer.Topics, topic)
	}
	return answer
}
