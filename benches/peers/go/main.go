// The work of ottla's benches, done by franz-go; see ../README.md.
//
//	ottla-peers-go franz-go throughput|latency --size N --values FILE --settings default|tuned --broker HOST:PORT
//	    [--compression TYPE] [--records N] [--rate N] [--seconds N]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sys/unix"
)

const (
	outstanding = 100_000
	buffer      = 32 << 20
	warmUp      = 1_000
)

type job struct {
	peer, mode, settings, compression, values, broker string
	size, records, rate, seconds                      int
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	job, err := parse()
	if err != nil {
		return err
	}
	options, err := options(job)
	if err != nil {
		return err
	}
	payload, err := os.ReadFile(job.values)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	work := &work{client: client, payload: payload, size: job.size}
	if err := work.sendAll(warmUp); err != nil {
		return err
	}
	start, cpu := time.Now(), cpuTime()
	var times []int64
	if job.mode == "latency" {
		job.records = job.rate * job.seconds
		times, err = work.paced(job.rate, job.records)
	} else {
		err = work.sendAll(job.records)
	}
	if err != nil {
		return err
	}
	report(job, cpuTime()-cpu, time.Since(start), times)
	return nil
}

// The counterpart of 5 ms and 16 KiB is a linger of 5 ms and franz-go's own batches of up to 1,000,012 bytes: they are
// a maximum and no goal, since it sends what it has when the linger is over or the last request was answered. acks=all
// and idempotence are its defaults.
func options(job job) ([]kgo.Opt, error) {
	codec, known := codecs[job.compression]
	if !known {
		return nil, fmt.Errorf("there is no compression %q", job.compression)
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(job.broker),
		kgo.DefaultProduceTopic("letters"),
		kgo.ProducerBatchCompression(codec),
		kgo.MaxBufferedRecords(outstanding),
		kgo.MaxBufferedBytes(buffer),
	}
	linger := 5 * time.Millisecond
	if job.settings == "tuned" {
		linger = 10 * time.Millisecond
		options = append(options, kgo.ProducerBatchMaxBytes(1<<20))
	}
	if job.mode == "latency" {
		linger = 0
	}
	return append(options, kgo.ProducerLinger(linger)), nil
}

// Each at its own default level.
var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

type work struct {
	client  *kgo.Client
	payload []byte
	size    int
	failed  atomic.Int64
}

func (w *work) value(n int) []byte {
	from := n % (len(w.payload) / w.size) * w.size
	return w.payload[from : from+w.size]
}

// Sends so many records, each with a promise, and waits for all of them.
func (w *work) sendAll(records int) error {
	ctx := context.Background()
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			w.failed.Add(1)
		}
	}
	for n := range records {
		w.client.Produce(ctx, &kgo.Record{Value: w.value(n)}, promise)
	}
	return w.settled(records)
}

// Sends records at a pace, and gives the time that each one took.
func (w *work) paced(rate, records int) ([]int64, error) {
	ctx := context.Background()
	times := make([]int64, records)
	pace, err := newPace(rate, records)
	if err != nil {
		return nil, err
	}
	for {
		from, to, err := pace.due()
		if err != nil {
			return nil, err
		}
		if from == to {
			return times, w.settled(records)
		}
		for n := from; n < to; n++ {
			sent := time.Now()
			w.client.Produce(ctx, &kgo.Record{Value: w.value(n)}, func(_ *kgo.Record, err error) {
				times[n] = int64(time.Since(sent))
				if err != nil {
					w.failed.Add(1)
				}
			})
		}
	}
}

func (w *work) settled(records int) error {
	if err := w.client.Flush(context.Background()); err != nil {
		return err
	}
	if failed := w.failed.Load(); failed > 0 {
		return fmt.Errorf("%d of %d records were not written", failed, records)
	}
	return nil
}

func report(job job, cpu int64, wall time.Duration, times []int64) {
	line := fmt.Sprintf(
		`{"peer":%q,"mode":%q,"size":%d,"settings":%q,"compression":%q,"records":%d,"cpu_ns":%d,"wall_ns":%d,"rss_kb":%s`,
		job.peer, job.mode, job.size, job.settings, job.compression, job.records, cpu, wall.Nanoseconds(), peakRSS(),
	)
	if job.mode == "latency" {
		slices.Sort(times)
		at := func(part float64) float64 { return float64(times[int(float64(len(times))*part)]) / 1e3 }
		line += fmt.Sprintf(`,"rate":%d,"p50_us":%.1f,"p99_us":%.1f,"p999_us":%.1f`, job.rate, at(0.5), at(0.99), at(0.999))
	}
	fmt.Println(line + "}")
}

func cpuTime() int64 {
	var time unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &time); err != nil {
		panic(err)
	}
	return time.Nano()
}

func peakRSS() string {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if words := strings.Fields(rest); len(words) > 0 {
		return words[0]
	}
	return "0"
}

func parse() (job, error) {
	if len(os.Args) < 3 {
		return job{}, fmt.Errorf("which peer, and which mode?")
	}
	job := job{peer: os.Args[1], mode: os.Args[2]}
	flags := flag.NewFlagSet("", flag.ExitOnError)
	flags.IntVar(&job.size, "size", 100, "")
	flags.StringVar(&job.settings, "settings", "default", "")
	flags.StringVar(&job.compression, "compression", "none", "")
	flags.StringVar(&job.values, "values", "", "")
	flags.StringVar(&job.broker, "broker", "", "")
	flags.IntVar(&job.records, "records", 0, "")
	flags.IntVar(&job.rate, "rate", 5_000, "")
	flags.IntVar(&job.seconds, "seconds", 10, "")
	err := flags.Parse(os.Args[3:])
	if job.records == 0 && job.size < 500 {
		job.records = 3_000_000
	} else if job.records == 0 {
		job.records = 600_000
	}
	return job, err
}
