package main

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func line(record *kgo.Record) string {
	words := []string{
		fmt.Sprint(record.Partition), fmt.Sprint(record.Timestamp.UnixMilli()), word(record.Key), word(record.Value),
	}
	for _, header := range record.Headers {
		words = append(words, word([]byte(header.Key)), word(header.Value))
	}
	return strings.Join(words, " ")
}

func word(bytes []byte) string {
	if bytes == nil {
		return "-"
	}
	return "=" + hex.EncodeToString(bytes)
}

func parse(line string) (*kgo.Record, error) {
	words := strings.Fields(line)
	if len(words) < 4 || len(words)%2 != 0 {
		return nil, fmt.Errorf("%d words", len(words))
	}
	var record kgo.Record
	var millis int64
	if _, err := fmt.Sscan(line, &record.Partition, &millis); err != nil {
		return nil, err
	}
	record.Timestamp = time.UnixMilli(millis)
	parts := make([][]byte, len(words)-2)
	for i, word := range words[2:] {
		if word == "-" {
			continue
		}
		bytes, err := hex.DecodeString(strings.TrimPrefix(word, "="))
		if err != nil {
			return nil, err
		}
		parts[i] = bytes
	}
	record.Key, record.Value = parts[0], parts[1]
	for i := 2; i < len(parts); i += 2 {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: string(parts[i]), Value: parts[i+1]})
	}
	return &record, nil
}
