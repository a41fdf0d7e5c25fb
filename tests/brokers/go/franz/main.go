// Franz reads and writes records with franz-go, one a line: "PARTITION TIMESTAMP KEY VALUE [NAME VALUE]...", where bytes are
// "=" and hexadecimal digits, and "-" is null.
//
// Usage:
//
//	franz read SERVERS TOPIC          prints what the topic holds, each line after its offset
//	franz write SERVERS TOPIC CODEC   writes its input
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const limit = 30 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	switch {
	case len(args) == 3 && args[0] == "read":
		return read(ctx, args[1], args[2])
	case len(args) == 4 && args[0] == "write":
		return write(ctx, args[1], args[2], args[3])
	}
	return errors.New("usage: franz read SERVERS TOPIC | franz write SERVERS TOPIC CODEC")
}

func read(ctx context.Context, servers, topic string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(servers, ",")...), kgo.ConsumeTopics(topic))
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err = errors.Join(err, ends.Error()); err != nil {
		return err
	}
	var left int64
	ends.Each(func(end kadm.ListedOffset) { left += end.Offset })
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("%d records are not read: %w", left, err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			fmt.Println(record.Offset, line(record))
			left--
		})
	}
	return nil
}

func write(ctx context.Context, servers, topic, codec string) error {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(servers, ",")...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[codec]), kgo.AllowAutoTopicCreation(),
		kgo.ProducerLinger(20*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 4<<20)
	var records []*kgo.Record
	for lines.Scan() {
		record, err := parse(lines.Text())
		if err != nil {
			return fmt.Errorf("%q: %w", lines.Text(), err)
		}
		record.Topic = topic
		records = append(records, record)
	}
	return errors.Join(lines.Err(), client.ProduceSync(ctx, records...).FirstErr())
}
