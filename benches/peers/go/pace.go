package main

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pace is ../src/pace.rs in Go. It sleeps on a timerfd: Go's own timers wait in whole milliseconds when the process is
// idle, and a system call that sleeps would hold the one processor's place in the scheduler.
type pace struct {
	start               time.Time
	rate, records, sent int
	timer               *os.File
	fd                  int
}

const grid = 100 * time.Microsecond

func newPace(rate, records int) (*pace, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	timer := os.NewFile(uintptr(fd), "timer")
	return &pace{start: time.Now(), rate: rate, records: records, timer: timer, fd: fd}, nil
}

// due sleeps until there are records to send; none are due after the last.
func (p *pace) due() (from, to int, err error) {
	step := max(grid, time.Second/time.Duration(p.rate))
	for p.sent < p.records {
		elapsed := time.Since(p.start)
		due := min(int(int64(elapsed)*int64(p.rate)/1_000_000_000)+1, p.records)
		if due > p.sent {
			from, p.sent = p.sent, due
			return from, due, nil
		}
		if err := p.sleep((elapsed/step+1)*step - elapsed); err != nil {
			return 0, 0, err
		}
	}
	return 0, 0, nil
}

func (p *pace) sleep(rest time.Duration) error {
	// The others' sleeps are late by the system's slack for timers, which a timerfd has not.
	const slack = 50 * time.Microsecond
	once := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(rest + slack))}
	if err := unix.TimerfdSettime(p.fd, 0, &once, nil); err != nil {
		return err
	}
	var times [8]byte
	_, err := p.timer.Read(times[:])
	return err
}
